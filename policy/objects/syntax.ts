/**
 * Syntax of names, labels and ports as the API server checks it. Each function says what is wrong, or nothing.
 * Source: k8s.io/apimachinery/pkg/util/validation.
 */
import { isPort, MAX_PORT } from '../../common/net.ts';

const DNS_LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const QUALIFIED_PART = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;

/** RFC 1123 label; also the limit of a label's name part and value. */
const MAX_LABEL_CHARACTERS = 63;
const MAX_SUBDOMAIN_CHARACTERS = 253;
/** RFC 6335, 5.1. */
const MAX_PORT_NAME_CHARACTERS = 15;

function tooLong(text: string, max: number): string[] {
  return text.length > max ? [`must be no more than ${max} characters`] : [];
}

/** A namespace's name. */
export function dnsLabelProblems(text: string): string[] {
  if (DNS_LABEL.test(text)) return tooLong(text, MAX_LABEL_CHARACTERS);
  return [
    ...tooLong(text, MAX_LABEL_CHARACTERS),
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name', or '123-abc')",
  ];
}

/** The name of most other objects. */
export function dnsSubdomainProblems(text: string): string[] {
  if (DNS_SUBDOMAIN.test(text)) return tooLong(text, MAX_SUBDOMAIN_CHARACTERS);
  return [
    ...tooLong(text, MAX_SUBDOMAIN_CHARACTERS),
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com')",
  ];
}

/** A label's key: `name` or `prefix/name`. */
export function labelKeyProblems(text: string): string[] {
  const parts = text.split('/');
  const [prefix, name] = parts.length === 2 ? parts : [undefined, parts[0]];
  if (parts.length > 2 || name === undefined) {
    return [
      "a valid label key must consist of alphanumeric characters, '-', '_' or '.', with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",
    ];
  }
  const problems: string[] = [];
  if (prefix === '') problems.push('prefix part must be non-empty');
  else if (prefix !== undefined)
    problems.push(...dnsSubdomainProblems(prefix).map((one) => `prefix part ${one}`));
  if (name === '') return [...problems, 'name part must be non-empty'];
  problems.push(...tooLong(name, MAX_LABEL_CHARACTERS).map((one) => `name part ${one}`));
  if (!QUALIFIED_PART.test(name)) {
    problems.push(
      "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName', or 'my.name', or '123-abc')",
    );
  }
  return problems;
}

/** A label's value. */
export function labelValueProblems(text: string): string[] {
  if (text === '' || QUALIFIED_PART.test(text)) return tooLong(text, MAX_LABEL_CHARACTERS);
  return [
    ...tooLong(text, MAX_LABEL_CHARACTERS),
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue', or 'my_value', or '12345')",
  ];
}

/** A port number. */
export function portNumberProblems(port: number): string[] {
  return isPort(port) ? [] : [`must be between 1 and ${MAX_PORT}, inclusive`];
}

/** A port's name: IANA_SVC_NAME. */
export function portNameProblems(text: string): string[] {
  const problems = tooLong(text, MAX_PORT_NAME_CHARACTERS);
  if (!/^[-a-z0-9]+$/.test(text))
    problems.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  if (!/[a-z]/.test(text)) problems.push('must contain at least one letter (a-z)');
  if (text.includes('--')) problems.push('must not contain consecutive hyphens');
  if (text.startsWith('-') || text.endsWith('-')) problems.push('must not begin or end with a hyphen');
  return problems;
}
