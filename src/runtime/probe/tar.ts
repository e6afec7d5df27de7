const BLOCK_BYTES = 512

/** One file or folder of an archive; folders have no bytes. */
export interface TarEntry {
  /** At most 100 bytes; a folder's ends in a slash. */
  name: string
  mode: number
  bytes?: Uint8Array
}

/** A USTAR archive (POSIX.1-2017, pax, "ustar Interchange Format") of root's files from 1970: equal entries have equal bytes. */
export function tar(entries: readonly TarEntry[]): Buffer {
  const blocks = entries.flatMap(entry => {
    const bytes = entry.bytes ?? new Uint8Array()
    return [header(entry, bytes.length), bytes, Buffer.alloc(-bytes.length & (BLOCK_BYTES - 1))]
  })
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK_BYTES)])
}

function header({ name, mode }: TarEntry, size: number): Buffer {
  if (Buffer.byteLength(name) > 100) throw new RangeError(`${name} is too long for a USTAR header`)
  const block = Buffer.alloc(BLOCK_BYTES)
  const octal = (value: number, at: number, digits: number) =>
    block.write(value.toString(8).padStart(digits, "0"), at, "ascii")
  block.write(name, 0, "utf8")
  octal(mode, 100, 7)
  // User and group 0.
  octal(0, 108, 7)
  octal(0, 116, 7)
  octal(size, 124, 11)
  octal(0, 136, 11)
  block.write(name.endsWith("/") ? "5" : "0", 156, "ascii")
  block.write("ustar\0" + "00", 257, "ascii")
  // The sum counts its own field as spaces.
  block.fill(" ", 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  octal(sum, 148, 6)
  block.write("\0 ", 154, "ascii")
  return block
}
