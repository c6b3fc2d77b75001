/** NP023. */
import { DEFAULT_NAMESPACE } from '../../policy/index.ts';
import { listed, type Model, nameOf } from '../model/index.ts';
import type { Rule } from '../rule.ts';
import { duplicates } from './faults.ts';

/** Names that are there twice, and namespaces that are forgotten. */
export const np023: Rule = {
  code: 'NP023',
  severity: 'warning',
  title: 'two policies of one name, or a policy in default for want of a namespace',
  explanation: `Of two policies with the same name and namespace the one that is applied last replaces the other, without a word. A policy without
metadata.namespace goes where the current context of the one who applies it says, default if nothing else is said.

The second is found in files without -n, where other objects of the files have namespaces and none is in default.`,
  remedy: 'Rename one of them; write the namespace.',
  *check(model) {
    for (const { file, document, object = '', message } of duplicates(model)) {
      const key = object.replace(/^\S+ ?/, '');
      yield {
        object: { kind: 'NetworkPolicy', key, file, document, annotations: {} },
        path: ['metadata', 'name'],
        message: `${key}: ${message}`,
      };
    }
    yield* inDefault(model);
  },
};

function* inDefault(model: Model): ReturnType<Rule['check']> {
  if (model.extent !== 'files' || model.namespaceGiven) return;
  const others = model.namespaces.filter((name) => name !== DEFAULT_NAMESPACE);
  if (others.length === 0 || model.knows(DEFAULT_NAMESPACE)) return;
  for (const linted of model.policiesIn(DEFAULT_NAMESPACE)) {
    const { object } = linted;
    // What is not there, has the place of what is around it.
    const [own, around] = [['metadata', 'namespace'], ['metadata']].map((path) =>
      model.places.find(object, path),
    );
    if (own === undefined || own.line !== around?.line || own.column !== around.column) continue;
    yield {
      object,
      path: ['metadata'],
      message: `${nameOf(linted)}: has no namespace, so it is in default, where nothing else is (others: ${listed(others)})`,
      fix: { text: 'metadata.namespace' },
    };
  }
}
