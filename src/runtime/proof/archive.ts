import { mkdir, readdir, readFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { z } from "zod"
import { type Digest, digestOfHex, hexOf } from "../../protocol/digest.ts"
import { Fault } from "../../protocol/fault.ts"
import { LedgerProof } from "../../protocol/ledger-proof.ts"
import { Assignment } from "../../protocol/proof.ts"
import type { Receipt } from "../../protocol/receipt.ts"
import { Bundle, bundleDigest } from "../../protocol/statement.ts"
import { writeAtomically } from "../../store/atomic-file.ts"

const ArchivedProof = z.strictObject({
  bundle: Bundle,
  /** The marketplace's answer; null until it has come. */
  receipt: Bundle.nullable(),
  /** What shows that the ledger holds proof and payment; null until the answer has come, and for answers from before there was a log. */
  ledger: LedgerProof.nullable().default(null),
  assignment: Assignment,
  /** This agent's proof before it: the archive is a chain. */
  previous: z.string().nullable(),
})

/** A proof with all that is needed to check it again. */
export interface ArchivedProof extends z.infer<typeof ArchivedProof> {
  assignment: Assignment
}

/**
 * An agent's proofs: one JSON file each, named by the hex of the proof's digest, chained from `latest` back to the first. `open/` tells
 * for a lease which proof it already has, until that is settled.
 */
export class ProofArchive {
  readonly root: string
  /** Proofs are chained one after the other, however many slots finish at once. */
  #chaining: Promise<unknown> = Promise.resolve()

  constructor(root: string) {
    this.root = root
  }

  /**
   * The proof of this lease: the one that is already here, else what `sign` makes of the digest of this agent's previous proof.
   * It is on disk when this resolves.
   */
  async chain(
    assignment: Assignment,
    sign: (previous: Digest | null) => Promise<Bundle>,
  ): Promise<ArchivedProof> {
    const turn = this.#chaining.then(() => this.#chain(assignment, sign))
    this.#chaining = turn.catch(() => {})
    return turn
  }

  /** Keeps the marketplace's answer beside the proof. */
  async settle(proof: Digest, { bundle: receipt, ledger }: Receipt): Promise<void> {
    const archived = await this.#read(hexOf(proof))
    await this.#write(`${hexOf(proof)}.json`, JSON.stringify({ ...archived, receipt, ledger }))
    await rm(this.#openPath(archived.assignment), { force: true })
  }

  /** The digest of the newest proof, null before the first. */
  async latest(): Promise<Digest | null> {
    const hex = await readOrNull(join(this.root, "latest"))
    return hex === null ? null : digestOfHex(hex)
  }

  /** All proofs, newest first, read one by one. */
  async *list(): AsyncGenerator<ArchivedProof> {
    for (let digest = await this.latest(); digest !== null; ) {
      const archived = await this.#read(hexOf(digest))
      yield archived
      digest = archived.previous === null ? null : digestOfHex(archived.previous)
    }
  }

  /**
   * A proof by its digest (`sha256:…` or hex) or the first digits of it.
   * @throws Fault `proof-unknown` when none or several are meant.
   */
  async load(name: string): Promise<ArchivedProof> {
    const prefix = name.replace(/^sha256:/, "").toLowerCase()
    const files = await readdir(this.root).catch(() => [])
    const found = files.filter(file => /^[0-9a-f]{64}\.json$/.test(file) && file.startsWith(prefix))
    const [file, ...others] = found
    if (file === undefined || others.length > 0 || prefix === "") throw unknown(name, found.length)
    return this.#read(file.slice(0, -".json".length))
  }

  async #chain(
    assignment: Assignment,
    sign: (previous: Digest | null) => Promise<Bundle>,
  ): Promise<ArchivedProof> {
    const last = await this.latest()
    if (last !== null) await this.#finishChaining(hexOf(last))
    const known = await readOrNull(this.#openPath(assignment))
    if (known !== null) return this.#read(known)
    const bundle = await sign(last)
    const hex = hexOf(bundleDigest(bundle))
    const archived: ArchivedProof = {
      ...{ bundle, receipt: null, ledger: null, assignment },
      previous: last && hexOf(last),
    }
    await mkdir(join(this.root, "open"), { recursive: true, mode: 0o700 })
    await this.#write(`${hex}.json`, JSON.stringify(archived))
    await this.#write("latest", hex)
    await this.#write(openName(assignment), hex)
    return archived
  }

  /** Does the last of the three writes if a crash came before it: a lease must not get a second proof. */
  async #finishChaining(hex: string): Promise<void> {
    const { assignment, receipt } = await this.#read(hex)
    const isOpen = receipt === null && (await readOrNull(this.#openPath(assignment))) === null
    if (isOpen) await this.#write(openName(assignment), hex)
  }

  async #read(hex: string): Promise<ArchivedProof> {
    const text = await readOrNull(join(this.root, `${hex}.json`))
    if (text === null) throw unknown(hex, 0)
    try {
      return ArchivedProof.parse(JSON.parse(text))
    } catch (cause) {
      throw new Fault("proof-malformed", `The archived proof ${hex} is damaged.`, {
        hint: "Put the file back from a backup; the marketplace's ledger still tells what was paid for it.",
        facts: { file: join(this.root, `${hex}.json`) },
        cause,
      })
    }
  }

  #openPath(assignment: Assignment): string {
    return join(this.root, openName(assignment))
  }

  #write(name: string, text: string): Promise<void> {
    return writeAtomically(join(this.root, name), text)
  }
}

function openName({ lease }: Assignment): string {
  return join("open", `${lease.id}-${lease.epoch}`)
}

async function readOrNull(path: string): Promise<string | null> {
  try {
    return await readFile(path, "utf8")
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null
    throw error
  }
}

function unknown(name: string, found: number): Fault {
  const message = found > 1 ? `${found} proofs start with ${name}.` : `There is no proof ${name} here.`
  return new Fault("proof-unknown", message, {
    hint: "List the proofs with `zg-agent proof list`.",
    facts: { name, found },
  })
}
