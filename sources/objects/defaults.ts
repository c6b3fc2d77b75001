/** What an object of a file leaves to kubectl and the API server: its namespace, and the rest of its name. */
import { createHash } from 'node:crypto';
import { isRecord } from '../../common/shape.ts';

type Json = Readonly<Record<string, unknown>>;

/** Characters that the API server makes names of (k8s.io/apimachinery `rand.SafeEncodeString`), and how many of them. */
const NAME_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';
const NAME_SUFFIX_LENGTH = 5;

/**
 * Fills in `metadata.namespace` and, of an object with `generateName`, `metadata.name`: one that is the same each time,
 * made from what the object says.
 * @param namespace undefined for a kind that is in none
 */
export function completeMetadata(
  object: Json,
  namespace: string | undefined,
): { readonly object: Json; readonly madeName?: string } {
  const metadata = object.metadata ?? {};
  if (!isRecord(metadata)) return { object };
  const { name, generateName, namespace: own } = metadata;
  const placed = namespace === undefined || isSet(own) ? {} : { namespace };
  const madeName =
    !isSet(name) && typeof generateName === 'string' && generateName !== ''
      ? `${generateName}${nameSuffix(object)}`
      : undefined;
  const named = madeName === undefined ? {} : { name: madeName };
  return {
    object: { ...object, metadata: { ...metadata, ...placed, ...named } },
    ...(madeName === undefined ? {} : { madeName }),
  };
}

function nameSuffix(object: Json): string {
  const digest = createHash('sha256').update(JSON.stringify(object)).digest();
  return [...digest.subarray(0, NAME_SUFFIX_LENGTH)]
    .map((byte) => NAME_ALPHABET[byte % NAME_ALPHABET.length])
    .join('');
}

/** Absent, null and the empty text are the same to the API. */
function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}
