/** What is left of an edge for somebody who sees some namespaces. */
import { expect, test } from 'vitest';
import type { FlowQuestion } from '../../../../flows/index.ts';
import { cutFlow, cutQuestion } from '../../../../injector/operator/cut.ts';
import { denial, edge, end } from '../../../support/kubernetes/observed_shop.ts';

const QUESTION: FlowQuestion = { since: 0, until: 1 };
const shop = new Set(['shop']);
const outside = { kind: 'external', address: '203.0.113.7' } as const;

test('whoever sees all gets all', () => {
  const flow = edge(end('a', 'x'), end('b', 'y'), denial('b'));
  expect(cutFlow(flow, QUESTION, undefined)).toEqual(flow);
  expect(cutQuestion(QUESTION, undefined)).toEqual(QUESTION);
});

test('the collector is asked about nothing but what is seen', () => {
  expect(cutQuestion({ ...QUESTION, limit: 5 }, shop)).toEqual({
    ...QUESTION,
    limit: 5,
    namespaces: ['shop'],
  });
});

test('an edge without an end that is seen is not shown', () => {
  expect(cutFlow(edge(end('a', 'x'), end('b', 'y')), QUESTION, shop)).toBeUndefined();
  expect(cutFlow(edge(outside, end('b', 'y')), QUESTION, shop)).toBeUndefined();
  expect(cutFlow(edge({ kind: 'node', workload: 'n1' }, end('b', 'y')), QUESTION, shop)).toBeUndefined();
});

test('of the end that is not seen the names stay, and the pod goes', () => {
  const flow = cutFlow(edge(end('a', 'x'), end('shop', 'db')), QUESTION, shop);
  expect(flow?.src).toEqual({ kind: 'workload', namespace: 'a', workload: 'deploy/x' });
  expect(flow?.dst).toEqual(end('shop', 'db'));
  expect(cutFlow(edge(outside, end('shop', 'db')), QUESTION, shop)?.src).toEqual(outside);
});

test.each([
  ['ingress', end('shop', 'web'), end('a', 'x')],
  ['egress', end('a', 'x'), end('shop', 'web')],
] as const)('what a policy of another namespace decided at %s is not explained', (direction, src, dst) => {
  const flow = cutFlow(edge(src, dst, { ...denial('a'), direction }), QUESTION, shop);
  expect(flow).toMatchObject({ outcome: 'deny', reason: 'no-rule-matched' });
  expect(JSON.stringify(flow)).not.toContain('a/db');
  for (const field of ['policy', 'rule', 'isolating', 'near', 'explanation'])
    expect(flow).not.toHaveProperty(field);
});

test('what a policy of the own namespace decided is explained in full', () => {
  const flow = edge(end('a', 'x'), end('shop', 'db'), denial('shop'));
  expect(cutFlow(flow, QUESTION, shop)).toMatchObject(denial('shop'));
});

test('a question for a policy finds no edge whose policy is hidden: the match alone would tell its name', () => {
  const hidden = edge(end('shop', 'web'), end('a', 'x'), denial('a'));
  expect(cutFlow(hidden, { ...QUESTION, policies: ['a/db'] }, shop)).toBeUndefined();
  expect(cutFlow(hidden, { ...QUESTION, policies: ['a/db'], not: ['policies'] }, shop)).toBeUndefined();
});

test('a row of several edges stays where it no longer says which namespace', () => {
  const row = edge(end('a', 'x'), { kind: 'workload' }, denial('shop'));
  expect(cutFlow(row, { ...QUESTION, groupBy: ['src'] }, shop)).toMatchObject({ flows: 1 });
  expect(cutFlow(row, { ...QUESTION, groupBy: ['src'] }, shop)).not.toHaveProperty('explanation');
  expect(cutFlow(row, QUESTION, shop)).toBeUndefined();
});
