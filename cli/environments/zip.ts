/**
 * A zip archive of a few small files, stored and not compressed, dated alike: the same files always make the same bytes, so
 * that its hash tells whether anything has changed. After PKWARE's APPNOTE 6.3.3, sections 4.3.7, 4.3.12 and 4.3.16.
 */
import { crc32 } from "node:zlib";

/** 1 January 1980, the earliest there is. */
const DATE = 0x0021;
const UTF8_NAMES = 0x0800;
const VERSION = 20;
/** Made on Unix; a file that everybody may read: what the function runs as is somebody else. */
const MADE_BY = 0x0300 | VERSION;
const MODE = 0o100644 * 0x1_0000;

/** Name in the archive → content. */
export function zipOf(files: Readonly<Record<string, string>>): Uint8Array<ArrayBuffer> {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [path, text] of Object.entries(files)) {
    const name = Buffer.from(path);
    const content = Buffer.from(text);
    const common = numbers(
      [VERSION, 2],
      [UTF8_NAMES, 2],
      [0, 2],
      [0, 2],
      [DATE, 2],
      [crc32(content), 4],
      [content.length, 4],
      [content.length, 4],
      [name.length, 2],
      [0, 2],
    );
    parts.push(numbers([0x04034b50, 4]), common, name, content);
    const rest = numbers([0, 2], [0, 2], [0, 2], [MODE, 4], [at, 4]);
    directory.push(numbers([0x02014b50, 4], [MADE_BY, 2]), common, rest, name);
    at += 30 + name.length + content.length;
  }
  const count = Object.keys(files).length;
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = numbers([0x06054b50, 4], [0, 2], [0, 2], [count, 2], [count, 2], [size, 4], [at, 4], [0, 2]);
  return new Uint8Array(Buffer.concat([...parts, ...directory, end]));
}

/** Little-endian. */
function numbers(...fields: readonly (readonly [value: number, bytes: 2 | 4])[]): Buffer {
  const buffer = Buffer.alloc(fields.reduce((sum, [, bytes]) => sum + bytes, 0));
  let at = 0;
  for (const [value, bytes] of fields) at = buffer.writeUIntLE(value, at, bytes);
  return buffer;
}
