import { stripVTControlCharacters, styleText } from "node:util"
import { ATTEMPTS, type Attempt, GROUPS, type Group } from "../runtime/probe/attempts.ts"
import { BOMBS } from "../runtime/probe/bombs.ts"
import type { Tried } from "../runtime/probe/judge-jail.ts"
import type { SandboxTest } from "../runtime/probe/test-sandbox.ts"
import { counted } from "./counted.ts"

const SIGNS = { held: "✔", warned: "!", broken: "✖" } as const
const COLOURS = { held: "green", warned: "yellow", broken: "red" } as const

/** Attempts that the machine itself judges, and not the probe. */
const OWN: Record<string, { title: string; tries: string }> = {
  "other-gpus": { title: "other cards", tries: "find a card that it was not given" },
  arrivals: { title: "the network", tries: "reach this machine" },
}

/** A line for each kind of attempt with what refused it, what got through below, and what it comes to. */
export function jailReport({ report, bombs, signed }: SandboxTest): string {
  const all = [...report.attempts, ...bombs]
  const titles = [...new Set(all.map(({ name }) => titleOf(name)))]
  const width = Math.max(...titles.map(title => title.length))
  const lines = titles.flatMap(title =>
    groupLines(
      title.padEnd(width),
      all.filter(({ name }) => titleOf(name) === title),
    ),
  )
  const walls = report.violations.map(
    ({ flag, wanted, seen }) => `${sign("broken")} ${flag} is not in force: ${seen} instead of ${wanted}`,
  )
  return [...lines, ...walls, "", ...conclusion(report, all, signed)].join("\n")
}

function groupLines(title: string, tried: readonly Tried[]): string[] {
  const of = (...outcomes: Tried["outcome"][]) => tried.filter(({ outcome }) => outcomes.includes(outcome))
  const [through, tolerated, blocked] = [of("open", "unknown"), of("tolerated"), of("blocked")]
  const state = through.length > 0 ? "broken" : tolerated.length > 0 ? "warned" : "held"
  const count = `${blocked.length} of ${tried.length} blocked`
  const by = refusals(blocked)
  return [
    `${sign(state)} ${title}  ${count}${by === "" ? "" : ` by ${by}`}`,
    ...through.map(({ name, outcome, how }) => `    ${outcome}: ${triesOf(name)} (${printable(how)})`),
    ...tolerated.map(({ name, how }) => `    let through: ${triesOf(name)} (${printable(how)})`),
  ]
}

/** By what it was blocked: the kernel's answers, each once; the rest simply found nothing. */
function refusals(blocked: readonly Tried[]): string {
  const answers = blocked.flatMap(({ how }) => /^E[A-Z]+|signal \d+|SIGKILL/.exec(how)?.[0] ?? [])
  return [...new Set(answers)].sort().join(", ")
}

function conclusion(report: SandboxTest["report"], all: readonly Tried[], signed: string | null): string[] {
  const through = all.filter(({ outcome }) => outcome === "open" || outcome === "unknown")
  const where = `${report.engine.name} ${report.engine.version}, ${report.runtime}, profile ${report.profile}, disks ${report.disks}`
  const failures = [
    ...(through.length === 0 ? [] : [`${through.length} of ${counted(all.length, "attempt")} got through`]),
    ...(report.violations.length === 0 ? [] : [`${counted(report.violations.length, "flag")} not in force`]),
  ]
  return [
    failures.length === 0
      ? `Nothing got out: ${counted(all.length, "attempt")} on ${where}.`
      : `${failures.join(", ")}, on ${where}.`,
    ...(report.unseen.length === 0 ? [] : [`Not to be seen from inside: ${report.unseen.join(", ")}.`]),
    signed === null ? "Not signed: there is no identity yet (`zg-agent register`)." : `Signed in ${signed}.`,
  ]
}

function titleOf(name: string): string {
  if (name in OWN) return OWN[name]?.title ?? ""
  const group = attemptOf(name)?.group
  return group === undefined ? GROUPS.limits : GROUPS[group satisfies Group]
}

function triesOf(name: string): string {
  return OWN[name]?.tries ?? attemptOf(name)?.tries ?? BOMBS.find(bomb => bomb.name === name)?.tries ?? name
}

function attemptOf(name: string): Attempt | undefined {
  return Object.hasOwn(ATTEMPTS, name) ? ATTEMPTS[name as keyof typeof ATTEMPTS] : undefined
}

function sign(state: keyof typeof SIGNS): string {
  return styleText(COLOURS[state], SIGNS[state], { stream: process.stdout })
}

/** What a container says is shown, and does nothing to the terminal. */
function printable(text: string): string {
  return stripVTControlCharacters(text).replace(/\p{Cc}/gu, " ")
}
