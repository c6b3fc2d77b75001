/** Failures as the API reports them: `metav1.Status` with an HTTP code. */
import type { Json } from './api_object.ts';

/** What an API request failed with. */
export class ApiError extends Error {
  readonly code: number;
  readonly reason: string;
  readonly details: Json | undefined;
  /** `metadata` of the Status; a 410 of a list page has a token to go on with. */
  readonly metadata: Json;

  constructor(
    code: number,
    reason: string,
    message: string,
    more: { readonly details?: Json; readonly metadata?: Json } = {},
  ) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = more.details;
    this.metadata = more.metadata ?? {};
  }

  /** The body of the answer. */
  get status(): Json {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: this.metadata,
      status: 'Failure',
      message: this.message,
      reason: this.reason,
      ...(this.details === undefined ? {} : { details: this.details }),
      code: this.code,
    };
  }
}

export const badRequest = (message: string): ApiError => new ApiError(400, 'BadRequest', message);

export const invalid = (message: string): ApiError => new ApiError(422, 'Invalid', message);

export const unauthorized = (): ApiError => new ApiError(401, 'Unauthorized', 'Unauthorized');

export const notFound = (plural: string, name: string): ApiError =>
  new ApiError(404, 'NotFound', `${plural} "${name}" not found`, { details: { name, kind: plural } });

export const alreadyExists = (plural: string, name: string): ApiError =>
  new ApiError(409, 'AlreadyExists', `${plural} "${name}" already exists`, {
    details: { name, kind: plural },
  });

export const conflict = (plural: string, name: string, why: string): ApiError =>
  new ApiError(409, 'Conflict', `Operation cannot be fulfilled on ${plural} "${name}": ${why}`, {
    details: { name, kind: plural },
  });

/** The revision that was asked for is forgotten. In a watch it comes as an ERROR event. */
export const expired = (message: string, metadata: Json = {}): ApiError =>
  new ApiError(410, 'Expired', message, { metadata });
