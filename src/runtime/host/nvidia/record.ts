import { XMLParser } from "fast-xml-parser"
import type { Printed } from "./reading.ts"

type Node = string | Node[] | { [name: string]: Node }

/** One `<gpu>` of `nvidia-smi -q -x`: all that was printed of it, by element. */
export interface GpuRecord {
  /** The tag's `id`: the PCI address in every driver that has one. */
  id: Printed
  root: Node
  /** Whether the record ends where nvidia-smi ended it. */
  complete: boolean
}

// Programs choose their names, and nvidia-smi does not escape them.
const PROGRAM = /<process_name>[^\n]{0,4096}?<\/process_name>/g
// The lists of clocks are most of the bytes.
const UNREAD =
  /<(processes|accounted_processes|supported_clocks)\b[^>]*>[\s\S]*?(<\/\1>|(?=<\/gpu>)|(?=<gpu[\s>])|$)/g
const OPENING = /<gpu(?:\s[^>]*)?>/g
const CLOSING = "</gpu>"

/**
 * Cuts the cards out of `nvidia-smi -q -x`, each for itself, so that what is broken about one (or around it) takes
 * nothing from the others. Never throws.
 */
export function gpuRecords(output: string): GpuRecord[] {
  const text = output.replace(PROGRAM, "").replace(UNREAD, "")
  const openings = [...text.matchAll(OPENING)]
  return openings.map((opening, position) => {
    const start = opening.index + opening[0].length
    const rest = text.slice(start, openings[position + 1]?.index)
    const end = rest.indexOf(CLOSING)
    const body = end === -1 ? rest.slice(0, rest.lastIndexOf(">") + 1) : rest.slice(0, end)
    const root = parse(body)
    return {
      id: opening[0].match(/id\s*=\s*\\?["']+([^"'\\>]+)/)?.[1] ?? null,
      root: root ?? {},
      complete: end !== -1 && root !== null,
    }
  })
}

/**
 * Lines that nvidia-smi says to people: outside of all cards and of the document's own marks, and where a record was cut,
 * sentences behind the cut.
 */
export function linesAround(output: string): string[] {
  return output
    .replace(PROGRAM, "")
    .replace(/<gpu(?:\s[^>]*)?>([\s\S]*?)(<\/gpu>|(?=<gpu[\s>])|$)/g, (_, body: string, end: string) =>
      end === "" ? `\n${sentences(body)}\n` : "\n",
    )
    .replace(/<([a-z_]+)>[^<\n]*<\/\1>/gi, "\n")
    .replace(/<[^>\n]*>?/g, "\n")
    .split("\n")
    .map(line => line.trim())
    .filter(line => /[a-z]{2}/i.test(line))
}

const SENTENCE = /(Unable to|NVIDIA-SMI has|Failed to|GPU is lost)[^<>\n]*$/i

function sentences(cutRecord: string): string {
  const lines = cutRecord.split("\n").map(line => line.match(SENTENCE)?.[0] ?? "")
  return lines.filter(line => line !== "").join("\n")
}

/** The text of an element before the first card, such as `driver_version`. */
export function headText(output: string, element: string): Printed {
  const [head = ""] = output.split(OPENING, 1)
  return head.match(new RegExp(`<${element}>([^<]*)</${element}>`))?.[1] ?? null
}

function parse(body: string): Node | null {
  const parser = new XMLParser({
    ignoreAttributes: true,
    parseTagValue: false,
    processEntities: false,
    isArray: name => name === "mig_device",
  })
  try {
    return parser.parse(`<gpu>${body}</gpu>`).gpu ?? {}
  } catch {
    return null
  }
}

/** The element at a path; of repeated ones the first. */
export function at(node: Node | null, ...path: string[]): Node | null {
  let current = node
  for (const name of path) {
    if (Array.isArray(current)) current = current[0] ?? null
    if (current === null || typeof current === "string" || Array.isArray(current)) return null
    current = Object.hasOwn(current, name) ? (current[name] ?? null) : null
  }
  return current
}

/** The text at a path; an element that is absent or holds others has none. */
export function text(node: Node | null, ...path: string[]): Printed {
  const found = at(node, ...path)
  const first = Array.isArray(found) ? (found[0] ?? null) : found
  return typeof first === "string" ? first : null
}

/** Every text below an element with the names that lead to it. */
export function leaves(node: Node | null, path: string[] = []): Array<{ path: string[]; text: string }> {
  if (node === null) return []
  if (typeof node === "string") return [{ path, text: node }]
  if (Array.isArray(node)) return node.flatMap(child => leaves(child, path))
  return Object.entries(node).flatMap(([name, child]) => leaves(child, [...path, name]))
}

/** The `mig_device` elements; null where the driver does not say which there are. */
export function migDevices(root: Node): Node[] | null {
  const group = at(root, "mig_devices")
  if (typeof group === "string") return /^none$/i.test(group.trim()) ? [] : null
  const devices = at(group, "mig_device")
  return Array.isArray(devices) ? devices : null
}

export type { Node }
