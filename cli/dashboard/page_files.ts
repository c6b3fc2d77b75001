/** The files of the page. In a package they are in this module itself: scripts/cli_package/ puts them there. */
import type { PageFile } from './page_file.ts';

/** By path. In a clone they are made of their sources. */
export async function pageFiles(): Promise<ReadonlyMap<string, PageFile>> {
  const { buildPage } = await import('./build_page.ts');
  return (await buildPage()).files;
}
