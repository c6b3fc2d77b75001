/** A file of the page. */

/** What the server sends of one path. */
export interface PageFile {
  readonly type: string;
  readonly body: Buffer;
}
