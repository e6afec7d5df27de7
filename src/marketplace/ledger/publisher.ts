import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import type { Logger } from "pino"
import { Fault } from "../../protocol/fault.ts"
import type { Signer } from "../../protocol/keys.ts"
import { ledgerKey } from "../../protocol/ledger-proof.ts"
import { checkpointText, openCheckpoint } from "../../protocol/tlog/checkpoint.ts"
import { areEqual, HASH_BYTES } from "../../protocol/tlog/hash.ts"
import { formatNote, signNote } from "../../protocol/tlog/note.ts"
import { bundleEntries, TILE_WIDTH, type Tile, tilePath, tilesOf } from "../../protocol/tlog/tile.ts"
import { writeAtomically } from "../../store/atomic-file.ts"
import { asDiskFull } from "../../store/disk-full.ts"
import { cosigned, type Witness } from "./cosign.ts"
import type { Log } from "./log.ts"

export interface PublisherParts {
  log: Log
  /** Where the files lie, as anybody may copy or serve them. */
  folder: string
  identity: Signer
  /** Who is asked to sign that the ledger only grew. */
  witnesses: readonly Witness[]
  clock: () => number
  logger: Logger
  /** Told of each checkpoint, in their order. */
  onPublished: (published: Published) => void
}

/** A checkpoint that everybody may see. */
export interface Published {
  size: number
  /** The signed note. */
  checkpoint: string
}

const NOTHING: Published = { size: 0, checkpoint: "" }

/**
 * Publishes the ledger as plain files: tiles, entry bundles and the newest checkpoint (C2SP tlog-tiles). A checkpoint comes after the
 * files that it needs, and what was published once never changes.
 */
export class Publisher {
  readonly #parts: PublisherParts
  #latest: Published = NOTHING
  #underway: Promise<void> | null = null

  private constructor(parts: PublisherParts) {
    this.#parts = parts
  }

  /**
   * Goes on from what lies in the folder.
   * @throws Fault `ledger-forked` when more was published than the database holds: signing on would tell two stories; `disk-full`.
   */
  static async open(parts: PublisherParts): Promise<Publisher> {
    await refuseFork(parts)
    await mkdir(parts.folder, { recursive: true, mode: 0o700 })
    const publisher = new Publisher(parts)
    await publisher.covering(0)
    return publisher
  }

  get latest(): Published {
    return this.#latest
  }

  /** The newest checkpoint, once it covers the first `size` entries. Whoever asks meanwhile shares it. @throws Fault `disk-full`. */
  async covering(size: number): Promise<Published> {
    while (this.#latest.size < size || this.#latest === NOTHING) {
      this.#underway ??= this.#publish().finally(() => {
        this.#underway = null
      })
      await this.#underway
    }
    return this.#latest
  }

  async #publish(): Promise<void> {
    const { log, folder, identity, witnesses, clock, logger, onPublished } = this.#parts
    const [since, size] = [this.#latest.size, log.size]
    const { name } = ledgerKey(identity.publicKey)
    try {
      for (const tile of tilesOf(size, since)) await this.#keep(tile)
      const text = checkpointText({ origin: name, size, root: log.root(size) })
      const own = await signNote(text, { kind: "log", name, signer: identity }, clock())
      const others = await cosigned({ text, signatures: [own] }, { log, size, witnesses, logger })
      const checkpoint = formatNote({ text, signatures: [own, ...others] })
      await writeAtomically(join(folder, "checkpoint"), checkpoint)
      this.#latest = { size, checkpoint }
      onPublished(this.#latest)
    } catch (error) {
      throw asDiskFull(error, folder)
    }
    await this.#forget(since, size)
  }

  /** A full tile that is there already stays: its content can be no other. */
  async #keep(tile: Tile): Promise<void> {
    const path = join(this.#parts.folder, tilePath(tile))
    if (tile.width === TILE_WIDTH && (await stat(path).catch(() => null))?.isFile()) return
    await mkdir(dirname(path), { recursive: true, mode: 0o700 })
    if (tile.width === TILE_WIDTH) return writeAtomically(path, this.#bytesOf(tile))
    // Written again at the next start, whatever a power cut leaves of it.
    await writeFile(`${path}.draft`, this.#bytesOf(tile), { mode: 0o600 })
    await rename(`${path}.draft`, path)
  }

  #bytesOf({ level, index, width }: Tile): Buffer {
    const { log } = this.#parts
    const first = index * TILE_WIDTH
    if (level === "entries") return bundleEntries(log.entries(first, first + width))
    const hashes = Array.from({ length: width }, (_, at) =>
      log.node({ level: level * Math.log2(TILE_WIDTH), index: first + at }),
    )
    return Buffer.concat(hashes, width * HASH_BYTES)
  }

  /** Narrower forms of tiles that are full now (C2SP tlog-tiles lets them go). */
  async #forget(since: number, size: number): Promise<void> {
    const full = tilesOf(size, since).filter(({ width }) => width === TILE_WIDTH)
    const folders = full.map(tile => join(this.#parts.folder, `${tilePath(tile)}.p`))
    await Promise.all(folders.map(path => rm(path, { recursive: true, force: true })))
  }
}

/** A database that was put back from a backup has lost what others saw already. */
async function refuseFork({ log, folder, identity }: PublisherParts): Promise<void> {
  const path = join(folder, "checkpoint")
  const text = await readFile(path, "utf8").catch(() => null)
  if (text === null) return
  const { size, root } = openCheckpoint(text, ledgerKey(identity.publicKey))
  if (size <= log.size && areEqual(log.root(size), root)) return
  throw new Fault(
    "ledger-forked",
    `The ledger published ${size} entries, and the database does not hold these: it has ${log.size}.`,
    {
      hint: "Put the newest backup of market.sqlite back. To go on without what is lost would show two stories to those who watch the ledger.",
      facts: { published: size, held: log.size, checkpoint: path },
    },
  )
}
