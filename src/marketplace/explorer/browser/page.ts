/** Checks in the reader's browser what the explorer's pages show. Without it the pages are complete, but nothing is checked. */
import { entryDetail, entryRow } from "../entry-view.ts"
import type { ReadFile } from "./check.ts"
import { LedgerProblem } from "./problem.ts"
import { type Memory, trustedKey, type Visit, visit } from "./visit.ts"

const MEMORY = "zg-ledger"
const ANSWER_LIMIT_MS = 30_000

/** The key that the page names. */
const vkey = document.body.dataset.vkey ?? ""

type Tone = "good" | "bad" | "unsure" | "plain"

function find<T extends HTMLElement>(id: string): T | null {
  return document.getElementById(id) as T | null
}

function say(element: HTMLElement | null, tone: Tone, text: string): void {
  if (element === null) return
  element.className = `said ${tone}`
  element.textContent = text
}

function readMemory(): Memory {
  try {
    return { trusted: null, seen: null, ...JSON.parse(localStorage.getItem(MEMORY) ?? "{}") }
  } catch {
    return { trusted: null, seen: null }
  }
}

function keep(memory: Memory): void {
  localStorage.setItem(MEMORY, JSON.stringify(memory))
}

const read: ReadFile = async path => {
  const answer = await fetch(`/ledger/${path}`, {
    cache: path === "checkpoint" ? "no-store" : "default",
    signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
  })
  if (answer.status === 404) return null
  if (!answer.ok) throw new LedgerProblem("absent", `The ledger answers ${answer.status}.`)
  return new Uint8Array(await answer.arrayBuffer())
}

/** Opens the ledger, tells how it stands, and keeps its checkpoint. Null where something is wrong. */
async function look(): Promise<Visit | null> {
  const status = find("ledger-status")
  try {
    const memory = readMemory()
    const seen = await visit(vkey, memory, read)
    keep(seen.memory)
    const by = memory.trusted === null ? "the key that this page names" : "the key that you trust"
    const growth =
      seen.since === null ? "" : ` It goes on from the ${seen.since} that this browser saw before.`
    say(
      status,
      memory.trusted === null ? "plain" : "good",
      `${counted(seen.ledger.head.size)}, signed by ${by}.${growth}`,
    )
    return seen
  } catch (error) {
    say(status, toneOf(error), wordsOf(error))
    return null
  }
}

/** Checks every entry on this page: that the signed tree holds it, and that the page shows it as it is. */
async function verify(): Promise<void> {
  const result = find("verify-result")
  say(result, "unsure", "Checking …")
  const seen = await look()
  if (seen === null) {
    say(result, "bad", "Not verified: see what is said of the ledger above.")
    return
  }
  const shown = [...document.querySelectorAll<HTMLElement>("[data-entry]")]
  let wrong = 0
  let reason: unknown = null
  for (const element of shown) {
    const trouble = await troubleWith(element, seen)
    mark(element, trouble)
    if (trouble !== null) wrong++
    reason ??= trouble
  }
  const { size, root } = seen.ledger.head
  const base64 = btoa(String.fromCharCode(...root))
  if (wrong > 0)
    say(
      result,
      toneOf(reason),
      `${shown.length === 1 ? "" : `${wrong} of ${shown.length}: `}${wordsOf(reason)}`,
    )
  else say(result, "good", `Verified: ${told(shown.length)} in the signed tree of ${size}, root ${base64}.`)
}

function told(count: number): string {
  return count === 1 ? "the entry stands as shown" : `${count} entries stand as shown`
}

function counted(entries: number): string {
  return entries === 1 ? "1 entry" : `${entries} entries`
}

async function troubleWith(element: HTMLElement, { ledger }: Visit): Promise<unknown> {
  const index = Number(element.dataset.entry)
  const isRow = element instanceof HTMLTableRowElement
  if (isRow) mark(element, undefined)
  try {
    const text = await ledger.entry(index)
    const due = document.createElement("template")
    due.innerHTML = (isRow ? entryRow : entryDetail)(index, text, vkey).text
    if (due.content.firstElementChild?.outerHTML === element.outerHTML) return null
    return new LedgerProblem(
      "spoilt",
      `Entry ${index} is recorded, but this page shows it as something else.`,
    )
  } catch (error) {
    return error
  }
}

/** @param trouble null for none; undefined takes the mark away. */
function mark(element: HTMLElement, trouble: unknown): void {
  const cell = element.querySelector<HTMLElement>("td.mark")
  if (cell === null) return
  if (trouble === undefined) cell.replaceChildren()
  else {
    const sign = document.createElement("span")
    sign.className = trouble === null ? "good" : "bad"
    sign.textContent = trouble === null ? "verified" : "wrong"
    if (trouble !== null) sign.title = wordsOf(trouble)
    cell.append(sign)
  }
}

function toneOf(error: unknown): Tone {
  return error instanceof LedgerProblem && (error.kind === "unable" || error.kind === "absent")
    ? "unsure"
    : "bad"
}

const HEADINGS = {
  unsigned: "Not signed as it should be. ",
  forked: "THE LEDGER WAS REWRITTEN. ",
  spoilt: "Spoilt. ",
  absent: "",
  unable: "",
}

const ADVICE = {
  unsigned: " Ask whoever runs the marketplace for its key, by another way than this page.",
  forked:
    " It tells different people different stories: take no more work from it, and keep what this browser remembers.",
  spoilt: " Compare with what zg-agent ledger verify says.",
  absent: "",
  unable: "",
}

function wordsOf(error: unknown): string {
  if (error instanceof LedgerProblem) return `${HEADINGS[error.kind]}${error.message}${ADVICE[error.kind]}`
  return `The ledger could not be read: ${(error as Error).message}`
}

function trust(): void {
  const key = trustedKey(find<HTMLInputElement>("trusted-key")?.value ?? "")
  if (key === null) say(find("trust-result"), "bad", "This is no key: it looks like name+a1b2c3d4+AT…")
  else {
    // What was seen under another key says nothing about this one.
    keep({ ...readMemory(), trusted: key })
    say(find("trust-result"), "good", "Kept in this browser.")
    void look()
  }
}

function forget(): void {
  localStorage.removeItem(MEMORY)
  const input = find<HTMLInputElement>("trusted-key")
  if (input !== null) input.value = ""
  say(find("trust-result"), "unsure", "Forgotten: the next look is a first one.")
  void look()
}

for (const element of document.querySelectorAll<HTMLElement>("[data-script]")) element.hidden = false
const input = find<HTMLInputElement>("trusted-key")
if (input !== null) input.value = readMemory().trusted ?? ""
find("trust")?.addEventListener("click", trust)
find("forget")?.addEventListener("click", forget)
find("verify")?.addEventListener("click", () => void verify())
void look()
