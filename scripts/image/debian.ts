/** What dpkg has installed, from its own files. Source: deb-control(5), os-release(5). */

/** An installed package. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  /** Debian's word for it: `amd64`, `all`. */
  readonly architecture: string;
}

/** @param status text of /var/lib/dpkg/status */
export function debianPackages(status: string): readonly DebianPackage[] {
  return status.split(/\n{2,}/).flatMap((stanza) => {
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(stanza)?.[1];
    const [name, version, architecture] = ['Package', 'Version', 'Architecture'].map(field);
    const installed = field('Status') === 'install ok installed';
    return installed && name !== undefined && version !== undefined && architecture !== undefined
      ? [{ name, version, architecture }]
      : [];
  });
}

/** The version of Debian, such as `12`. @param osRelease text of /usr/lib/os-release */
export function debianRelease(osRelease: string): string {
  const [, version] = /^VERSION_ID="?([\d.]+)"?$/m.exec(osRelease) ?? [];
  if (version === undefined)
    throw new Error('os-release has no VERSION_ID: the base is no release of Debian');
  return version;
}
