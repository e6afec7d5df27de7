import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "vitest"
import type { Digest } from "../../../src/protocol/digest.ts"
import { randomId } from "../../../src/protocol/handshake.ts"
import { type Assignment, proofStatement } from "../../../src/protocol/proof.ts"
import { bundleDigest, signStatement } from "../../../src/protocol/statement.ts"
import { type ArchivedProof, ProofArchive } from "../../../src/runtime/proof/archive.ts"
import { ASSIGNMENT, nodeSigner, RUN } from "./sample.ts"

const signer = nodeSigner()
let root: string
let archive: ProofArchive
beforeEach(async () => {
  root = join(await mkdtemp(join(tmpdir(), "zg-archive-test-")), "proofs")
  archive = new ProofArchive(root)
})
afterEach(() => rm(join(root, ".."), { recursive: true }))

const another = (): Assignment => ({ ...ASSIGNMENT, lease: { ...ASSIGNMENT.lease, id: randomId() } })
const prove = (assignment: Assignment, into = archive) =>
  into.chain(assignment, previous => signStatement(proofStatement(assignment, { ...RUN, previous }), signer))
const digest = ({ bundle }: ArchivedProof) => bundleDigest(bundle)

async function listed(from = archive): Promise<Digest[]> {
  const digests: Digest[] = []
  for await (const proof of from.list()) digests.push(digest(proof))
  return digests
}

test("an empty archive has no latest proof and lists none", async () => {
  expect(await archive.latest()).toBeNull()
  expect(await listed()).toEqual([])
})

test("proofs made at once form one chain, newest first", async () => {
  const proofs = await Promise.all(Array.from({ length: 8 }, () => prove(another())))
  expect(await listed()).toEqual(proofs.map(digest).reverse())
  expect(await archive.latest()).toBe(digest(proofs[7] as ArchivedProof))
})

test("a lease keeps its one proof, also in a new process and after a later proof", async () => {
  const assignment = another()
  const first = await prove(assignment)
  await prove(another())
  expect(await prove(assignment, new ProofArchive(root))).toEqual(first)
  expect(await listed()).toHaveLength(2)
})

test("a crash after the chain was written and before the lease was noted makes no second proof", async () => {
  const assignment = another()
  const first = await prove(assignment)
  await rm(join(root, "open", `${assignment.lease.id}-${assignment.lease.epoch}`))
  const reopened = new ProofArchive(root)
  await prove(another(), reopened)
  expect(await prove(assignment, reopened)).toEqual(first)
})

test("a receipt is kept beside its proof", async () => {
  const proof = await prove(another())
  const bundle = await signStatement({ stands: "for a receipt" }, signer)
  const ledger = { checkpoint: "stands for one", entries: [{ index: 0, body: "", hashes: [] }] }
  await archive.settle(digest(proof), { bundle, ledger })
  expect(await archive.load(digest(proof))).toMatchObject({ receipt: bundle, ledger })
  expect(await readdir(join(root, "open"))).toEqual([])
})

test("a proof is found by digest, by hex and by a unique prefix", async () => {
  const proof = await prove(another())
  await prove(another())
  const name = digest(proof)
  const hex = name.slice("sha256:".length)
  for (const known of [name, hex, hex.slice(0, 20), hex.slice(0, 20).toUpperCase()])
    expect(await archive.load(known)).toEqual(proof)
  for (const unknown of ["", "zz", "../latest", "f".repeat(64)])
    await expect(archive.load(unknown)).rejects.toMatchObject({
      code: "proof-unknown",
      hint: expect.stringContaining("zg-agent proof list"),
    })
})

test("files are for their owner only, and no draft stays behind", async () => {
  const hex = digest(await prove(another())).slice("sha256:".length)
  expect((await stat(join(root, `${hex}.json`))).mode & 0o777).toBe(0o600)
  expect((await readdir(root)).sort()).toEqual([`${hex}.json`, "latest", "open"].sort())
})

test("a damaged file is named", async () => {
  const hex = digest(await prove(another())).slice("sha256:".length)
  await writeFile(join(root, `${hex}.json`), "{")
  await expect(archive.load(hex)).rejects.toMatchObject({ code: "proof-malformed" })
})
