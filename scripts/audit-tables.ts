// Writes the tables of docs/audit.md: what follows from the default terms, computed by the marketplace's own functions.
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { heldBack } from "../src/marketplace/audit/bond.ts"
import * as economics from "../src/marketplace/audit/economics.ts"
import { fullBond, AUDIT_DEFAULTS as TERMS } from "../src/marketplace/audit/terms.ts"
import { auditProbability } from "../src/marketplace/audit/trust.ts"
import { AuditPolicy } from "../src/protocol/audit.ts"

const DOCUMENT = join(import.meta.dirname, "../docs/audit.md")
const PRICE = 1_000_000
const spot = AuditPolicy.parse({ kind: "spot" })
if (spot.kind !== "spot") throw new Error("a spot policy is none")
const { segments, drawn } = spot

const AT_THE_FLOOR: economics.Odds = { audited: TERMS.floor, bond: fullBond(TERMS) }
const NEW: economics.Odds = { audited: 1, bond: 0 }
const SIZES = [1, 2, 5, segments]
const shardOf = (wrong: number): economics.Cheat => ({ segments, wrong })

/** The odds of an honest agent after so many settled shards of one price. */
function oddsAfter(shards: number): economics.Odds {
  let bond = 0
  for (let n = 0; n < shards; n++) bond += heldBack(PRICE, { bond, price: PRICE }, TERMS)
  const record = { passed: shards, failed: 0, run: shards }
  return { audited: auditProbability(record, { bond, price: PRICE }, TERMS), bond: bond / PRICE }
}

function seen(): string[][] {
  const counts = [1, drawn, 5, segments]
  return [
    ["wrong segments of 10", ...counts.map(count => `${count} drawn`)],
    ...SIZES.map(wrong => [
      `${wrong}`,
      ...counts.map(count => percent(economics.chanceOfCatch(shardOf(wrong), count))),
    ]),
  ]
}

function cheats(): string[][] {
  return [
    ["wrong segments of 10", "found, a shard", "gain of a shard at the floor", "as a new agent", "end ahead"],
    ...SIZES.map(shardOf).map(cheat => [
      `${cheat.wrong}`,
      percent(TERMS.floor * economics.chanceOfCatch(cheat, drawn)),
      signed(economics.gainOfCheat(cheat, drawn, AT_THE_FLOOR)),
      signed(economics.gainOfCheat(cheat, drawn, NEW)),
      rare(economics.shareAhead(cheat, drawn, AT_THE_FLOOR)),
    ]),
  ]
}

function careers(): string[][] {
  const plans = [1, 0.1, 0.01].flatMap(share =>
    [segments, 1].map(wrong => ({ share, cheat: shardOf(wrong) })),
  )
  return [
    ["cheats in", "of them wrong", "work saved", "found after shards", "gain by then", "loses then"],
    ...plans.map(({ share, cheat }) => {
      const found = TERMS.floor * economics.chanceOfCatch(cheat, drawn)
      const part = cheat.wrong / segments
      return [
        `${share * 100} % of shards`,
        `${cheat.wrong} of ${segments} segments`,
        percent(share * part),
        Math.round(1 / (share * found)).toLocaleString("en"),
        (part / found).toFixed(1),
        `${1 + AT_THE_FLOOR.bond}`,
      ]
    }),
  ]
}

function wayUp(): string[][] {
  return [
    ["settled shards", "bond", "audited", "paid out so far", "a wrong shard costs"],
    ...[0, 60, 100, 300, 600, 1200, 10_000].map(shards => {
      const { audited, bond } = oddsAfter(shards)
      const paid = shards === 0 ? "–" : percent(1 - bond / shards)
      return [
        shards.toLocaleString("en"),
        `${bond}`,
        percent(audited),
        paid,
        (audited * (1 + bond)).toFixed(2),
      ]
    }),
  ]
}

function rings(): string[][] {
  const gain = (wrong: number, odds: economics.Odds, share: number) =>
    signed(
      economics.gainOfRing(shardOf(wrong), drawn, odds, { share, voucher: AT_THE_FLOOR, lead: TERMS.lead }),
    )
  const misled = (share: number, lead: number) => rare(economics.chanceOfWrongVerdict(share, lead))
  return [
    [
      "the ring's part",
      "all wrong, floor",
      "1 wrong, floor",
      "all wrong, new",
      "wins a dispute",
      "if 2 of 3 decided",
    ],
    ...[0.05, 0.1, 0.2, 0.4].map(share => [
      percent(share, 0),
      gain(segments, AT_THE_FLOOR, share),
      gain(1, AT_THE_FLOOR, share),
      gain(segments, NEW, share),
      misled(share, TERMS.lead),
      misled(share, 1),
    ]),
  ]
}

function overhead(): string[][] {
  const rows: [string, number][] = [
    ["an agent's first 60 shards", 60],
    ["its first 1,000", 1000],
    ["its first 5,000", 5000],
    ["its first 20,000", 20_000],
  ]
  const atTheFloor = TERMS.floor / (1 - TERMS.floor)
  return [
    ["re-run, as a share of the work", `spot, ${drawn} of ${segments}`, "whole shards"],
    ...rows.map(([name, shards]) => [
      name,
      ...[drawn / segments, 1].map(part => percent(economics.overheadOf(shards, part, TERMS))),
    ]),
    ["at the floor", percent((atTheFloor * drawn) / segments), percent(atTheFloor)],
  ]
}

function errors(): string[][] {
  const loss = (share: number, wrong: number) =>
    percent(share * TERMS.floor * economics.chanceOfCatch(shardOf(wrong), drawn) * (1 + AT_THE_FLOOR.bond), 3)
  return [
    ["an error in", "costs, in one segment", "costs, from the first segment on"],
    ...[0.0001, 0.001, 0.01].map(share => [
      `${share * 100} % of shards`,
      loss(share, 1),
      loss(share, segments),
    ]),
  ]
}

/** Each table of the document by its name, in Markdown. */
export function auditTables(): Record<string, string> {
  const tables = { seen, cheats, careers, "way-up": wayUp, rings, overhead, errors }
  return Object.fromEntries(Object.entries(tables).map(([name, rows]) => [name, markdown(rows())]))
}

/** The document with these tables in it; each stands between its own marks. */
export function withTables(document: string, tables: Record<string, string>): string {
  return Object.entries(tables).reduce((text, [name, table]) => {
    const [begin, end] = [`<!-- table: ${name} -->\n`, "<!-- end -->"]
    const from = text.indexOf(begin) + begin.length
    const to = text.indexOf(end, from)
    if (from < begin.length || to < 0) throw new Error(`the document has no place for the table ${name}`)
    return `${text.slice(0, from)}\n${table}\n\n${text.slice(to)}`
  }, document)
}

function markdown([head = [], ...rows]: string[][]): string {
  const line = (cells: string[]) => `| ${cells.join(" | ")} |`
  return [line(head), `|${head.map((_, n) => (n === 0 ? "---" : "--:")).join("|")}|`, ...rows.map(line)].join(
    "\n",
  )
}

function percent(share: number, digits = 1): string {
  return `${(share * 100).toFixed(digits)} %`
}

function rare(share: number): string {
  return `${Number((share * 100).toPrecision(2))} %`
}

function signed(amount: number): string {
  const text = amount.toFixed(2)
  return Number(text) > 0 ? `+${text}` : text.replace(/^-(0\.00)$/, "$1")
}

if (import.meta.main) await writeFile(DOCUMENT, withTables(await readFile(DOCUMENT, "utf8"), auditTables()))
