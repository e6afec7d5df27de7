import { execa } from "execa"
import { expect, test } from "vitest"
import { ledgerKey } from "../../src/protocol/ledger-proof.ts"
import { vkeyOf } from "../../src/protocol/tlog/note.ts"
import { consistencyRanges, hashOf } from "../../src/protocol/tlog/tree.ts"
import { Published } from "./publishing.ts"

/** Debian's packages golang-go and golang-golang-x-mod-dev; in CI they are installed. */
const GO_ENV = { GO111MODULE: "off", GOPATH: "/usr/share/gocode", GOFLAGS: "", GOTOOLCHAIN: "local" }
const built = await execa("go", ["list", "golang.org/x/mod/sumdb/tlog"], { env: GO_ENV, reject: false })
const hasGo = built.exitCode === 0
if (!hasGo && !process.env.CI)
  process.stderr.write(
    "Go's own check of a ledger is skipped: install golang-go and golang-golang-x-mod-dev.\n",
  )

interface GoAnswer {
  size: number
  record: string[] | null
  growth: string[] | null
  before: string
}

test.skipIf(!hasGo && !process.env.CI)(
  "Go's checksum database reads our checkpoint, tiles and entries, and proves the same",
  { timeout: 120_000 },
  async () => {
    await using published = new Published()
    await published.grow(300)
    const { log } = published.ledger
    for (let at = log.size; at < 70_000; at++) log.append(Buffer.from(`entry ${at}`))
    await published.publish()
    const key = vkeyOf(ledgerKey(published.market.publicKey))
    for (const [index, earlier] of [
      [0, 1],
      [299, 300],
      [69_999, 65_536],
      [65_535, 69_999],
    ] as const) {
      const args = ["run", "test/ledger/strangers/main.go", published.folder, key, `${index}`, `${earlier}`]
      const answer = JSON.parse((await execa("go", args, { env: GO_ENV })).stdout) as GoAnswer
      expect(answer.size).toBe(70_000)
      const text = (hash: Uint8Array) => Buffer.from(hash).toString("base64")
      expect(answer.record).toEqual(log.inclusion(index, 70_000).hashes.map(text))
      const due = consistencyRanges(earlier, 70_000).map(range => text(hashOf(range, node => log.node(node))))
      expect(answer.growth).toEqual(due)
      expect(answer.before).toBe(text(log.root(earlier)))
    }
    const other = vkeyOf(ledgerKey(new Published().market.publicKey))
    const refused = await execa(
      "go",
      ["run", "test/ledger/strangers/main.go", published.folder, other, "0", "1"],
      { env: GO_ENV, reject: false },
    )
    expect(refused.exitCode).not.toBe(0)
    expect(refused.stderr).toContain("no verifiable signatures")
  },
)
