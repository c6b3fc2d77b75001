/**
 * The image's bill of materials, CycloneDX: what `npm sbom` says of the packages that are in it, Node with the libraries in
 * it, Debian's packages, and the files that run, with the packages in each. Source: CycloneDX 1.5.
 */
import type { BundledPackage, Provenance } from '../bundle/provenance.ts';
import type { DebianPackage } from './debian.ts';

/** As much of a component as is read here; the rest goes along. */
export interface Component {
  readonly type: string;
  readonly name: string;
  readonly version?: string;
  readonly 'bom-ref': string;
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly purl?: string;
  readonly [field: string]: unknown;
}

/** A document. */
export interface Bom {
  readonly metadata: { readonly component: Component; readonly [field: string]: unknown };
  readonly components: readonly Component[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
  readonly [field: string]: unknown;
}

interface NamedVersion {
  readonly name: string;
  readonly version: string;
}

/** Node, as it is in the image, and the package that it comes from. */
export interface NodeProgram extends NamedVersion {
  /** Of the program. */
  readonly sha256: string;
  /** By name: Node's own word for what is built into it, `process.versions`. */
  readonly versions: Readonly<Record<string, string | undefined>>;
}

/** Of `process.versions`: Node itself, and numbers of interfaces. */
const NO_LIBRARIES = ['node', 'modules', 'napi'];

/**
 * @param npm what `npm sbom` says of all packages of package-lock.json: many more than are in the image
 * @throws Error where a package is in the image that npm does not know
 */
export function imageBom(
  npm: Bom,
  { version, files }: Provenance,
  node: NodeProgram,
  debian: readonly DebianPackage[],
  debianRelease: string,
): Bom {
  // npm's `scope` says what an install may leave out; what is in the image is not left out. What is known against Node
  // goes by its CPE: nobody looks for it under the name of that package.
  const cpe = `cpe:2.3:a:nodejs:node.js:${node.version}:*:*:*:*:*:*:*`;
  const known = new Map(
    npm.components.map((component) => {
      const isNode = component.name === node.name && component.version === node.version;
      return [reference(component), { ...component, scope: 'required', ...(isNode ? { cpe } : {}) }];
    }),
  );
  const npmComponent = (name: string, wanted: string): Component => {
    const component = known.get(`${name}@${wanted}`);
    if (component === undefined)
      throw new Error(`${name} ${wanted} goes into the image, and npm does not know it: run npm ci`);
    return component;
  };
  const packages = new Set<Component>();
  const program = (path: string, sha256: string, inside: readonly NamedVersion[]) => {
    const components = inside.map((each) => npmComponent(each.name, each.version));
    for (const each of components) packages.add(each);
    return { component: fileComponent(path, sha256), dependsOn: components.map(reference) };
  };
  const libraries = nodeLibraries(node);
  const nodeProgram = program('/usr/local/bin/node', node.sha256, [node]);
  nodeProgram.dependsOn.push(...libraries.map(reference));
  const programs = [
    ...Object.entries(files).map(([file, { sha256, packages: inside }]) =>
      program(`/sluice/${file}`, sha256, inside),
    ),
    nodeProgram,
  ];
  const system = [
    {
      type: 'operating-system',
      'bom-ref': `debian@${debianRelease}`,
      name: 'debian',
      version: debianRelease,
    },
    ...debian.map((each) => debianComponent(each, debianRelease)),
  ];
  const contents = [...programs.map(({ component }) => component), ...system];
  // Of npm's word for the project only what holds for the image: it is no package of the registry.
  const { description, licenses } = npm.metadata.component;
  const image: Component = {
    description,
    licenses,
    type: 'container',
    'bom-ref': `sluice@${version}`,
    name: 'sluice',
    version,
  };
  const kept = new Set([...packages].map(reference));
  const inside = insideComponents(Object.values(files).flatMap((file) => file.packages));
  return {
    ...npm,
    metadata: { ...npm.metadata, lifecycles: [{ phase: 'build' }], component: image },
    components: [
      ...programs.map(({ component }) => component),
      ...[...packages].sort((a, b) => (reference(a) < reference(b) ? -1 : 1)),
      ...[...inside.values()].flat(),
      ...libraries,
      ...system,
    ],
    dependencies: [
      { ref: reference(image), dependsOn: contents.map(reference) },
      ...programs.map(({ component, dependsOn }) => ({ ref: reference(component), dependsOn })),
      ...npm.dependencies
        .filter(({ ref }) => kept.has(ref))
        .map(({ ref, dependsOn = [] }) => ({
          ref,
          dependsOn: [
            ...dependsOn.filter((each) => kept.has(each)),
            ...(inside.get(ref) ?? []).map(reference),
          ],
        })),
    ],
  };
}

function reference(component: Component): string {
  return component['bom-ref'];
}

function fileComponent(path: string, sha256: string): Component {
  return { type: 'file', 'bom-ref': path, name: path, hashes: [{ alg: 'SHA-256', content: sha256 }] };
}

/** Code of others inside packages, by the package's reference. */
function insideComponents(packages: readonly BundledPackage[]): ReadonlyMap<string, readonly Component[]> {
  return new Map(
    packages.map(({ name, version, inside = [] }) => {
      const ref = `${name}@${version}`;
      return [ref, inside.map((code) => ({ type: 'library', 'bom-ref': `${ref}:${code.name}`, ...code }))];
    }),
  );
}

/** Built into Node's program; their licences are in Node's own. */
function nodeLibraries({ versions }: NodeProgram): readonly Component[] {
  return Object.entries(versions).flatMap(([name, version]): readonly Component[] =>
    version === undefined || NO_LIBRARIES.includes(name)
      ? []
      : [
          {
            type: 'library',
            'bom-ref': `node:${name}@${version}`,
            name,
            version,
            purl: `pkg:generic/${nameAndVersion(name, version)}`,
          },
        ],
  );
}

/** Source: purl-spec, type `deb`. */
function debianComponent({ name, version, architecture }: DebianPackage, release: string): Component {
  return {
    type: 'library',
    'bom-ref': `deb:${name}:${architecture}@${version}`,
    name,
    version,
    purl: `pkg:deb/debian/${nameAndVersion(name, version)}?arch=${architecture}&distro=debian-${release}`,
  };
}

/** As a package URL has them. */
function nameAndVersion(...parts: readonly [name: string, version: string]): string {
  return parts.map(encodeURIComponent).join('@');
}
