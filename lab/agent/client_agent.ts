/**
 * A client that lives in a namespace of a lab and does what a test or the demo asks: one JSON object a line on stdin, one
 * answer a line on stdout, in the order they are ready. The end of stdin is its end.
 */

import { createSocket } from 'node:dgram';
import { get } from 'node:http';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { codeOrMessageOf, messageOf } from '../../common/errno.ts';
import { unreachable } from '../../common/errors.ts';
import { familyOf } from '../../common/net.ts';
import { type FlowGroup, openFlows } from './flow_group.ts';
import { listen } from './listen.ts';
import {
  type AgentAnswers,
  type AgentRequest,
  agentRequest,
  type ConnectResult,
  type DatagramResult,
  type HttpResult,
  requestLine,
} from './protocol.ts';

const groups = new Map<string, FlowGroup>();

async function handle(request: AgentRequest): Promise<AgentAnswers[AgentRequest['do']]> {
  switch (request.do) {
    case 'connect':
      return await tryConnect(request);
    case 'datagram':
      return await tryDatagram(request);
    case 'listen':
      return await listen(request);
    case 'http':
      return await httpGet(request);
    case 'open': {
      const group = openFlows(request);
      groups.set(request.group, group);
      return await group.opened();
    }
    case 'report':
      return groupOf(request.group).report();
    case 'finish':
      return await groupOf(request.group).finish(request.timeoutMs);
    case 'close': {
      const group = groupOf(request.group);
      group.close();
      return group.report();
    }
    case 'reset': {
      const group = groupOf(request.group);
      group.reset();
      return group.report();
    }
    default:
      return unreachable(request);
  }
}

function groupOf(name: string): FlowGroup {
  const group = groups.get(name);
  if (group === undefined) throw new Error(`no flows were opened as ${name}`);
  return group;
}

function tryConnect(request: Extract<AgentRequest, { do: 'connect' }>): Promise<ConnectResult> {
  const { address: host, port, localAddress, send = 'hello\n', timeoutMs = 3000 } = request;
  return new Promise((resolve) => {
    const startedAt = performance.now();
    let connected = false;
    let reply = '';
    let error: string | undefined;
    const socket = connect({ host, port, ...(localAddress === undefined ? {} : { localAddress }) });
    const timer = setTimeout(() => socket.destroy(new Error('ETIMEDOUT')), timeoutMs);
    socket.on('connect', () => {
      connected = true;
      socket.write(send);
    });
    socket.on('data', (chunk: Buffer) => {
      reply += chunk.toString('latin1');
      if (reply.includes('\n')) socket.destroy();
    });
    socket.on('error', (cause) => {
      error = codeOrMessageOf(cause);
      // A reset right behind the SYN ACK comes before 'connect' does; one that answers the SYN is ECONNREFUSED.
      if (error === 'ECONNRESET') connected = true;
    });
    socket.on('close', () => {
      clearTimeout(timer);
      const seen = reply.split('\n')[0];
      resolve({
        connected,
        allowed: reply !== '',
        reset: error === 'ECONNRESET' || error === 'EPIPE',
        timedOut: error === 'ETIMEDOUT',
        reply,
        ...(reply.includes('\n') && seen !== undefined ? { seenAddress: seen } : {}),
        ...(error === undefined ? {} : { error }),
        ms: performance.now() - startedAt,
      });
    });
  });
}

function tryDatagram(request: Extract<AgentRequest, { do: 'datagram' }>): Promise<DatagramResult> {
  const socket = createSocket(`udp${familyOf(request.address)}`);
  return new Promise((resolve) => {
    const end = (result: DatagramResult): void => {
      clearTimeout(timer);
      socket.close();
      resolve(result);
    };
    const timer = setTimeout(() => end({ allowed: false, error: 'ETIMEDOUT' }), request.timeoutMs ?? 1000);
    socket.on('message', (message) => end({ allowed: true, seenAddress: message.toString().trim() }));
    socket.on('error', (error) => end({ allowed: false, error: codeOrMessageOf(error) }));
    const send = () => socket.send('hello\n', request.port, request.address);
    if (request.localAddress === undefined) send();
    else socket.bind({ address: request.localAddress }, send);
  });
}

function httpGet(request: Extract<AgentRequest, { do: 'http' }>): Promise<HttpResult> {
  const { address: host = '127.0.0.1', port, path } = request;
  return new Promise((resolve, reject) => {
    const asked = get({ host, port, path, agent: false, timeout: 5000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
      response.on('error', reject);
    });
    asked.on('timeout', () => asked.destroy(new Error('ETIMEDOUT')));
    asked.on('error', reject);
  });
}

async function obey(request: unknown): Promise<AgentAnswers[AgentRequest['do']]> {
  return await handle(agentRequest.read(request, 'the request', unknownRequest));
}

function unknownRequest(problem: string): Error {
  return new Error(`${problem}; the agent and its user have to be of the same version of Sluice`);
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, request } = requestLine.readJson(line, 'the line', unknownRequest);
  const answer = (fields: object): void =>
    void process.stdout.write(`${JSON.stringify({ id, ...fields })}\n`);
  obey(request).then(
    (result) => answer({ result }),
    (error: unknown) => answer({ error: messageOf(error) }),
  );
}
process.exit();
