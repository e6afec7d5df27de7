/** Bytes from `start` to `end` inclusive. */
export interface Range {
  start: number
  end: number
}

/**
 * One byte range of a Range header (RFC 9110, 14.1.2) for `size` bytes: null when there is none to obey (no header, several
 * ranges, another unit), which means the whole; "unsatisfiable" when it lies outside.
 */
export function rangeIn(header: string | undefined, size: number): Range | null | "unsatisfiable" {
  const [, first = "", last = ""] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? []
  if (first === "" && last === "") return null
  const range =
    first === ""
      ? { start: Math.max(0, size - Number(last)), end: size - 1 }
      : { start: Number(first), end: last === "" ? size - 1 : Math.min(Number(last), size - 1) }
  if (first !== "" && last !== "" && Number(last) < Number(first)) return null
  return range.start < size && range.start <= range.end ? range : "unsatisfiable"
}

/** Where a piece of an upload begins, from its Content-Range (distribution-spec 1.1 writes `0-1023`, others `bytes 0-1023/*`). */
export function offsetIn(header: string | undefined): number | null {
  const [, start] = /^(?:bytes[ =])?(\d+)-\d+(?:\/(?:\d+|\*))?$/.exec(header ?? "") ?? []
  return start === undefined ? null : Number(start)
}
