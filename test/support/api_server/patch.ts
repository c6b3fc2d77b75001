/** The kinds of PATCH that the double understands: JSON patch (RFC 6902) and JSON merge patch (RFC 7396). */
import jsonPatch, { type Operation } from 'fast-json-patch';
import { ApiError, invalid } from './api_error.ts';
import { isRecord } from './api_object.ts';

/**
 * The patched document; the original stays as it is.
 * @throws ApiError 415 for another kind, 422 for a patch that does not apply
 */
export function applyPatch(document: unknown, contentType: string, patch: unknown): unknown {
  switch (contentType.split(';')[0]?.trim()) {
    case 'application/json-patch+json':
      return applyJsonPatch(document, patch);
    case 'application/merge-patch+json':
      return mergePatch(document, patch);
    default:
      throw new ApiError(
        415,
        'UnsupportedMediaType',
        `the double does not know patches of type ${contentType}`,
      );
  }
}

/** @throws ApiError 422 */
export function applyJsonPatch(document: unknown, patch: unknown): unknown {
  try {
    const operations = patch as readonly Operation[];
    // Removing what is not there is an error in Go's library, but not in this one.
    return jsonPatch.applyPatch(structuredClone(document), operations, true).newDocument;
  } catch (error) {
    throw invalid(
      `the server rejected our request due to an error in our request: ${(error as Error).message}`,
    );
  }
}

function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const merged: Record<string, unknown> = isRecord(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = mergePatch(merged[key], value);
  }
  return merged;
}
