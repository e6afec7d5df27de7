import { Fault } from "../../protocol/fault.ts"
import { openCheckpoint, type SignedCheckpoint } from "../../protocol/tlog/checkpoint.ts"
import type { NoteKey } from "../../protocol/tlog/note.ts"
import { isConsistent, type TreeHead } from "../../protocol/tlog/prove.ts"
import { hashIn, TILE_WIDTH, type Tile, tilePath, tileWith } from "../../protocol/tlog/tile.ts"
import { consistencyRanges, hashOf, type Node, nodesOf } from "../../protocol/tlog/tree.ts"
import type { LedgerFiles } from "./files.ts"

/** What a ledger signed last. @throws Fault `ledger-malformed`, `ledger-mismatch`, or as {@link LedgerFiles.read}. */
export async function readCheckpoint(
  files: LedgerFiles,
  log: NoteKey,
  signal: AbortSignal,
  witnesses: readonly NoteKey[] = [],
): Promise<SignedCheckpoint> {
  const bytes = await files.read("checkpoint", signal)
  if (bytes === null) throw missing(files, "checkpoint")
  return openCheckpoint(Buffer.from(bytes).toString("utf8"), log, witnesses)
}

/**
 * A tile as a tree has it; a ledger may have let go of a narrow one for the full one, which begins with the same.
 * @throws Fault `ledger-malformed` where neither is there.
 */
export async function readTile(files: LedgerFiles, tile: Tile, signal: AbortSignal): Promise<Uint8Array> {
  const narrow = await files.read(tilePath(tile), signal)
  if (narrow !== null) return narrow
  const full = await files.read(tilePath({ ...tile, width: TILE_WIDTH }), signal)
  if (full === null) throw missing(files, tilePath(tile))
  return full
}

/**
 * Checks that a ledger only grew from one signed tree to a later one.
 * @throws Fault `ledger-forked` when it did not; `ledger-malformed`, or as {@link LedgerFiles.read}.
 */
export async function checkGrowth(
  files: LedgerFiles,
  from: TreeHead,
  to: TreeHead,
  signal: AbortSignal,
): Promise<void> {
  const isShrunk = from.size > to.size
  const ranges = isShrunk ? [] : consistencyRanges(from.size, to.size)
  const nodes = ranges.flatMap(nodesOf)
  const tiles = new Map(nodes.map(node => tileWith(node, to.size)).map(tile => [tilePath(tile), tile]))
  const held = new Map<string, Uint8Array>()
  for (const [path, tile] of tiles) held.set(path, await readTile(files, tile, signal))
  const read = (node: Node) => hashIn(held.get(tilePath(tileWith(node, to.size))) ?? new Uint8Array(), node)
  if (isShrunk || !isConsistent(from, to, hashesOf(ranges, read, files))) throw forked(files.where, from, to)
}

function hashesOf(
  ranges: ReturnType<typeof consistencyRanges>,
  read: (node: Node) => Uint8Array,
  { where }: LedgerFiles,
): Uint8Array[] {
  try {
    return ranges.map(range => hashOf(range, read))
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    throw new Fault("ledger-malformed", `A tile of the ledger at ${where} is too short.`, {
      hint: "The copy may be damaged: fetch it again.",
      cause,
    })
  }
}

/** What two trees of one ledger are that do not go on from each other. */
export function forked(where: string, from: TreeHead, to: TreeHead): Fault {
  return new Fault(
    "ledger-forked",
    `The ledger at ${where} was rewritten: its ${to.size} entries do not go on from the ${from.size} that it signed before.`,
    {
      hint: "It tells different people different stories. Take no more work from it, keep both checkpoints as evidence, and ask others what they saw.",
      facts: {
        before: `${from.size} ${Buffer.from(from.root).toString("base64")}`,
        after: `${to.size} ${Buffer.from(to.root).toString("base64")}`,
      },
    },
  )
}

function missing({ where }: LedgerFiles, path: string): Fault {
  return new Fault("ledger-malformed", `The ledger at ${where} has no ${path}.`, {
    hint: "A ledger's folder holds the files `checkpoint` and `tile/…`; a copy may be incomplete: make it again.",
    facts: { path },
  })
}
