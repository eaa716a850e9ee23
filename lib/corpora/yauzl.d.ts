/**
 * The part of yauzl 3.4.0 that {@linkcode unzip} uses; the package brings no types of its own.
 *
 * @module
 */

import type { Readable } from "node:stream";

/** One file or folder of an archive, as the table of contents has it. */
export interface Entry {
  /** Its path, with `/`; a folder's ends with one. */
  readonly fileName: string;
  /** Size in the archive, in bytes. */
  readonly compressedSize: number;
  /** Size of the file, in bytes. */
  readonly uncompressedSize: number;
  /** 0 stored, 8 deflated. */
  readonly compressionMethod: number;
  /** CRC-32 of the file. */
  readonly crc32: number;
  /** On Unix the mode, in the upper half. */
  readonly externalFileAttributes: number;
  /** Whether it needs a password. */
  isEncrypted(): boolean;
}

/** An open archive. */
export interface ZipFile {
  /** Size of the archive in bytes. */
  readonly fileSize: number;
  /** The table of contents; needs `lazyEntries`. */
  eachEntry(): AsyncIterableIterator<Entry>;
  /** The unpacked content of an entry. */
  openReadStreamPromise(entry: Entry): Promise<Readable>;
  /** Closes the file once all streams have ended. */
  close(): void;
}

/** Opens an archive. */
export function openPromise(
  path: string,
  options: { autoClose: boolean; lazyEntries: boolean; validateEntrySizes: boolean },
): Promise<ZipFile>;
