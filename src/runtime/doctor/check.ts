import type { Fix } from "./fix.ts"

/** Stable: scripts pick checks out of the JSON by these. */
export const CHECK_IDS = [
  ...(["wsl", "systemd", "state-folder", "registration", "marketplace", "clock", "ports"] as const),
  ...([
    "engine",
    "engine-version",
    "container-start",
    "sandbox-flags",
    "jail",
    "gvisor",
    "leftovers",
  ] as const),
  ...(["gpus", "gpu-in-container", "nvidia-toolkit", "cdi", "rocm-access", "power-limit"] as const),
  ...(["memory", "disk-space", "disk-speed", "minimum-versions"] as const),
] as const
export type CheckId = (typeof CHECK_IDS)[number]

/** `skipped` is no judgement: the check has no object here, or needs another one first; its fact says which. */
export type CheckState = "ok" | "warning" | "failed" | "skipped"

/** What a check found. Several facts, remedies or commands stand on lines of their own. */
export interface Finding {
  state: CheckState
  /** What was seen. */
  fact: string
  /** What to do about it, for people. */
  remedy: string | null
  /** The remedy to paste into a shell. */
  command: string | null
  /** What `doctor --fix` would do about it. */
  fixes: readonly Fix[]
}

export interface Check extends Finding {
  id: CheckId
  title: string
}

export interface Remedy {
  remedy: string
  command?: string | undefined
  fixes?: readonly Fix[]
}

export function ok(fact: string): Finding {
  return { state: "ok", fact, remedy: null, command: null, fixes: [] }
}

export function skipped(fact: string, remedy: string | null = null): Finding {
  return { state: "skipped", fact, remedy, command: null, fixes: [] }
}

export function warning(fact: string, { remedy, command, fixes = [] }: Remedy): Finding {
  return { state: "warning", fact, remedy, command: command ?? commandIn(remedy), fixes }
}

export function failed(fact: string, { remedy, command, fixes = [] }: Remedy): Finding {
  return { state: "failed", fact, remedy, command: command ?? commandIn(remedy), fixes }
}

const BY_WEIGHT: readonly CheckState[] = ["failed", "warning", "ok", "skipped"]

/** Several findings as one: the worst state, and everything that was seen, with each remedy once. */
export function together(findings: readonly Finding[]): Finding {
  const lines = (pick: (finding: Finding) => string | null) =>
    [...new Set(findings.map(pick).filter(text => text !== null))].join("\n") || null
  return {
    state: BY_WEIGHT.find(state => findings.some(finding => finding.state === state)) ?? "skipped",
    fact: lines(({ fact }) => fact) ?? "",
    remedy: lines(({ remedy }) => remedy),
    command: lines(({ command }) => command),
    fixes: findings.flatMap(({ fixes }) => fixes),
  }
}

/** The first thing in a hint that can be typed; null where it names none, or leaves a gap to be filled in. */
export function commandIn(hint: string): string | null {
  for (const [, text = ""] of hint.matchAll(/`([^`\n]+)`/g)) {
    if (text.includes(" ") && !text.includes("…")) return text
  }
  return null
}
