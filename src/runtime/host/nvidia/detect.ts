import { setTimeout as sleep } from "node:timers/promises"
import type { Detection, GpuProblem } from "../gpu.ts"
import { ANSWER_LIMIT_MS, type AskOptions, ask, type Reply } from "./ask.ts"
import { type FoundCard, foundCard, withFindings } from "./card.ts"
import { type Complaint, problem } from "./complaint.ts"
import type { Finding } from "./health.ts"
import { type CardIdentity, isSameCard, parseListing, parseTable, TABLE_FIELDS } from "./listing.ts"
import { withSlices } from "./mig.ts"
import { complained, missing, numbered, type Report, readReport } from "./parse.ts"
import { nvidiaSmi } from "./program.ts"

export interface DetectOptions {
  signal: AbortSignal
  /** The program's name on PATH, or its path. */
  program?: string
  /** Milliseconds for the call for all cards; asking for single ones takes at most half as long again. */
  timeoutMs?: number
}

/**
 * The machine's NVIDIA cards as `nvidia-smi` knows them. Where one card breaks the call for all, each is asked for by
 * itself: the healthy ones stay, and the sick one is listed with what is known of it and what to do.
 * No nvidia-smi means no cards and no problem. Throws only the signal's reason when it is aborted.
 */
export async function detectNvidia({
  signal,
  program = nvidiaSmi(),
  timeoutMs = ANSWER_LIMIT_MS,
}: DetectOptions): Promise<Detection> {
  const asking = { signal, program, timeoutMs }
  const again = { ...asking, timeoutMs: timeoutMs / 2 }
  const first = Promise.all([
    ask(["-q", "-x"], asking),
    ask([`--query-gpu=${TABLE_FIELDS}`, "--format=csv,noheader"], asking),
  ])
  // The list of names often comes where a hanging card holds up all else: asked meanwhile, it costs no time.
  const early = (await isSlow(first, timeoutMs / 4)) ? ask(["-L"], again) : null
  const [[reply, table], listed] = await Promise.all([first, early])
  if (reply.ended === "absent") return { gpus: [], problems: [] }
  const report = readReport(said(reply))
  const rows = parseTable(table.stdout)
  const troubled = isTroubled(reply, report, rows)
  const slices = report.whole.some(card => card.mig !== null)
  const listing = listed ?? (troubled || slices ? await ask(["-L"], again) : null)
  const identities = joined(rows, parseListing(listing?.stdout ?? ""))
  const complaints = [reply, table, ...(listing ? [listing] : [])].flatMap(
    one => readReport(said(one)).complaints,
  )
  const cards = troubled ? await askEach(report, identities, complaints, again) : report.whole
  return concluded(cards, identities, report, silence(reply, asking))
}

function said({ stdout, stderr }: Reply): string {
  return `${stdout}\n${stderr}`
}

/** Whether the one call did not give every card whole. A driver that refuses altogether has no cards to ask for. */
function isTroubled(
  reply: Reply,
  { refused, whole, cut, attached, complaints }: Report,
  rows: CardIdentity[],
): boolean {
  if (refused) return false
  const expected = Math.max(attached ?? 1, rows.length)
  return reply.ended !== "well" || cut.length > 0 || whole.length < expected || complaints.length > 0
}

function isSlow(first: Promise<unknown>, limitMs: number): Promise<boolean> {
  const late = sleep(limitMs, true, { ref: false })
  return Promise.race([first.then(() => false), late])
}

/** One identity a card, from both tables. */
function joined(rows: CardIdentity[], listing: CardIdentity[]): CardIdentity[] {
  return [
    ...rows.map(row => ({ ...row, slices: listing.find(card => isSameCard(card, row))?.slices ?? [] })),
    ...listing.filter(card => !rows.some(row => isSameCard(card, row))),
  ]
}

/** Asks for every card that the one call did not give whole, all at once: each has its own limit. */
async function askEach(
  { whole, cut }: Report,
  identities: CardIdentity[],
  complaints: Complaint[],
  asking: AskOptions,
): Promise<FoundCard[]> {
  const suspects: FoundCard[] = []
  const listed = identities.map(({ slices, ...known }) => foundCard(known))
  // A record cut before its card is named must be one of those that are listed.
  const named = cut.filter(card => listed.length === 0 || card.pciAddress !== null || card.uuid !== null)
  for (const known of [...named, ...listed, ...complaints.map(suspect)]) {
    const isKnown = (card: FoundCard) => isSameCard(card, known)
    if (!whole.some(isKnown) && !suspects.some(isKnown)) suspects.push(known)
  }
  const asked = await Promise.all(suspects.map(card => askOne(card, asking)))
  // A card that answers for itself is not lost, whatever the call for all said.
  const standing = complaints.filter(
    complaint => !asked.some(({ card, answers }) => answers && isSameCard(card, suspect(complaint))),
  )
  return complained([...whole, ...asked.map(({ card }) => card)], standing)
}

function suspect({ index, pciAddress }: Complaint): FoundCard {
  return foundCard({ index, pciAddress })
}

interface Asked {
  card: FoundCard
  /** Whether the card's record came to its end. */
  answers: boolean
}

async function askOne(known: FoundCard, asking: AskOptions): Promise<Asked> {
  const name = known.uuid ?? known.pciAddress ?? known.index
  if (name === null) return { card: known, answers: false }
  const reply = await ask(["-q", "-x", "-i", String(name)], asking)
  const report = readReport(said(reply))
  const isNamed = known.uuid !== null || known.pciAddress !== null
  const whole = report.whole.find(card => !isNamed || isSameCard(card, known))
  if (whole) return { card: { ...whole, index: known.index }, answers: true }
  const [complaint] = report.complaints
  const card = { ...known, pciAddress: known.pciAddress ?? complaint?.pciAddress ?? null }
  const told = complaint ? complaint.finding : unread(reply, String(name))
  return { card: withFindings(card, [told]), answers: false }
}

function unread({ ended }: Reply, name: string): Finding {
  if (ended === "silent") {
    const reason = `The card does not answer: \`nvidia-smi -q -i ${name}\` hangs. Restart the machine; if it comes back, check the card's riser and power cables.`
    return { health: "lost", stops: true, reason }
  }
  const reason = `The driver gives no whole record of this card. Run \`nvidia-smi -q -i ${name}\`; if it fails too, restart the machine.`
  return { health: "degraded", stops: true, reason }
}

function silence({ ended }: Reply, { timeoutMs }: AskOptions): GpuProblem[] {
  if (ended !== "silent") return []
  return [
    problem(
      `nvidia-smi did not answer within ${timeoutMs / 1000} s and was ended.`,
      "A card or the driver hangs: look at `sudo dmesg | grep -i -e nvrm -e xid`, then restart the machine.",
    ),
  ]
}

/** Numbers the cards as the driver does and adds what only the other tables tell. */
function concluded(
  cards: FoundCard[],
  identities: CardIdentity[],
  report: Report,
  before: GpuProblem[],
): Detection {
  const told = cards.map(card => {
    const identity = identities.find(other => isSameCard(card, other))
    const driverVersion = card.driverVersion ?? report.driverVersion
    return { ...(identity ? withIdentity(card, identity) : card), driverVersion }
  })
  const gpus = numbered(told)
  const hidden = before.length > 0 && gpus.length === 0 ? [] : missing(report, gpus.length)
  return { gpus, problems: [...before, ...report.problems, ...hidden] }
}

function withIdentity(card: FoundCard, identity: CardIdentity): FoundCard {
  return {
    ...card,
    index: identity.index ?? card.index,
    name: card.name ?? identity.name,
    uuid: card.uuid ?? identity.uuid,
    pciAddress: card.pciAddress ?? identity.pciAddress,
    computeCapability: card.computeCapability ?? identity.computeCapability,
    mig: withSlices(card.mig, identity.slices),
  }
}
