import { join } from "node:path";
import { allOf, type FolderTree, type OtherFile } from "./folder-tree.ts";
import type { Layout } from "./layout.ts";
import { MANIFEST, REJECTED } from "./manifest.ts";
import { byCodePoint, isHidden, someOf } from "./names.ts";
import { countOf } from "./not-classes.ts";

interface LeftOverOptions {
  /** The folder that was listed. */
  readonly folder: string;
  /** Thaw's own files beside prepared images are no one's concern. */
  readonly isPrepared: boolean;
}

/** What lies in a folder and is not part of any class: counted, named, with what can be done with it. */
export class LeftOver {
  readonly #layout: Layout;
  readonly #options: LeftOverOptions;
  readonly #hiddenFolders = new Set<string>();
  /** Paths below the folder that the user gave. */
  readonly #loose: string[] = [];
  readonly #others: (OtherFile & { readonly path: string })[] = [];

  constructor(tree: FolderTree, layout: Layout, options: LeftOverOptions) {
    this.#layout = layout;
    this.#options = options;
    const classes = new Set(layout.groups.flatMap(({ folder }) => folder.folders));
    const apart = new Set([...layout.unlabelled, ...layout.unused]);
    this.#visit(tree, classes, apart);
  }

  notes(): string[] {
    const { unlabelled, unused } = this.#layout;
    const notes: string[] = [];
    if (this.#loose.length > 0) notes.push(this.#looseNote());
    for (const folder of unlabelled) notes.push(this.#unlabelledNote(folder));
    if (unused.length > 0) {
      const names = unused.map((folder) => `${folder.path}/ (${countOf(folder.imageCount)})`);
      notes.push(`warning: folders that are not used: ${someOf(names)}`);
    }
    if (this.#hiddenFolders.size > 0) {
      const names = [...this.#hiddenFolders].sort(byCodePoint);
      notes.push(`hidden folders are ignored: ${someOf(names)}`);
    }
    const pictures = this.#others.filter(({ format }) => format !== undefined);
    const formats = [...new Set(pictures.map(({ format }) => format!))].sort();
    if (pictures.length > 0) {
      notes.push(
        `warning: ${pictures.length} ${formats.join(" and ")} ${pictures.length === 1 ? "file is" : "files are"} not used, because Thaw cannot decode the format (${pathsOf(pictures)}): convert to JPEG or PNG`,
      );
    }
    const others = this.#others.filter(({ format }) => format === undefined);
    if (others.length > 0) {
      const what = others.length === 1 ? "file is not an image" : "files are not images";
      notes.push(`${others.length} ${what}: ${pathsOf(others)}`);
    }
    return notes;
  }

  /** Down to the classes, and from there all. */
  #visit(
    folder: FolderTree,
    classes: ReadonlySet<FolderTree>,
    apart: ReadonlySet<FolderTree>,
  ): void {
    if (apart.has(folder)) return;
    if (classes.has(folder) && folder.imageCount > 0) {
      for (const inner of allOf(folder)) this.#addOthers(inner, inner.others);
      return;
    }
    for (const name of folder.images) this.#loose.push(below(folder, name));
    this.#addOthers(
      folder,
      folder.others.filter(({ name }) => !isHidden(name) && !this.#isOurs(name)),
    );
    for (const inner of folder.folders) this.#visit(inner, classes, apart);
  }

  #addOthers(folder: FolderTree, others: readonly OtherFile[]): void {
    for (const name of folder.hiddenFolders) this.#hiddenFolders.add(name);
    for (const other of others) this.#others.push({ ...other, path: below(folder, other.name) });
  }

  #isOurs(name: string): boolean {
    return this.#options.isPrepared && (name === MANIFEST || name === REJECTED);
  }

  #looseNote(): string {
    const names = someOf(this.#loose.sort(byCodePoint));
    const [are, them] = this.#loose.length === 1 ? ["is", "it"] : ["are", "them"];
    return `warning: ${countOf(this.#loose.length)} outside the class folders ${are} not used (${names}): move ${them} into a class's folder, list ${them} in a CSV of path,label, or label ${them} with \`thaw predict\``;
  }

  #unlabelledNote(folder: FolderTree): string {
    const { imageCount, path, name } = folder;
    const names: string[] = [];
    for (const inner of allOf(folder)) {
      for (const image of inner.images) names.push(below(inner, image));
    }
    const [have, are, them] = imageCount === 1 ? ["has", "is", "it"] : ["have", "are", "them"];
    const place = join(this.#options.folder, path);
    return `warning: ${countOf(imageCount)} in ${path}/ ${have} no class and ${are} not used (${someOf(names.sort(byCodePoint), 3)}): label ${them} with \`thaw predict <run> ${place}\`, or, to use ${them}, move ${them} to ${name}/<class>/ or list ${them} in a CSV of path,label`;
  }
}

function below({ path }: FolderTree, name: string): string {
  return path === "" ? name : `${path}/${name}`;
}

function pathsOf(files: readonly { readonly path: string }[]): string {
  return someOf(files.map(({ path }) => path).sort(byCodePoint));
}
