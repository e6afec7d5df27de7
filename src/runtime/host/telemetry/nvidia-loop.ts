import { setTimeout as sleep } from "node:timers/promises"
import { execa } from "execa"
import type { Logger } from "pino"
import { linesOf } from "../../container/lines.ts"
import { ANSWER_LIMIT_MS } from "../nvidia/ask.ts"
import { fieldsLess, parseRow, type Row, refusedField } from "./nvidia-rows.ts"

/** Far more than a row of ten values; what a line has over it is dropped. */
const LINE_LIMIT_BYTES = 4096
/** After so many periods without a row the child is taken for hanging. */
const SILENT_PERIODS = 10
const LONGEST_PAUSE_MS = 60_000

export interface NvidiaLoop {
  program: string
  periodMs: number
  onRow: (row: Row) => void
  log?: Logger | undefined
}

/**
 * Keeps one `nvidia-smi` running for all cards and hands on its rows until the signal aborts; then nothing of it is left. A child
 * that ends, hangs or cannot be started is followed by another, after pauses that double up to a minute.
 */
export async function keepNvidiaLoop(loop: NvidiaLoop, signal: AbortSignal): Promise<void> {
  const { program, periodMs, log } = loop
  const refused = new Set<string>()
  let pauseMs = periodMs
  while (!signal.aborted) {
    const startedAt = performance.now()
    const end = await runOnce(loop, fieldsLess(refused), signal)
    if (signal.aborted) return
    if (end.refused !== null && !refused.has(end.refused)) {
      refused.add(end.refused)
      log?.warn({ field: end.refused }, "telemetry.field-refused")
      continue
    }
    if (performance.now() - startedAt > LONGEST_PAUSE_MS) pauseMs = periodMs
    log?.warn({ program, ended: end.how, pauseMs }, "telemetry.interrupted")
    await sleep(pauseMs, undefined, { signal }).catch(() => {})
    pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)
  }
}

interface End {
  how: "exit" | "silent" | "not-started"
  /** A field that the driver does not know. */
  refused: string | null
}

async function runOnce(
  { program, periodMs, onRow }: NvidiaLoop,
  fields: string[],
  signal: AbortSignal,
): Promise<End> {
  const silence = new AbortController()
  const child = start(program, argsOf(fields, periodMs), AbortSignal.any([signal, silence.signal]))
  const silent = () => silence.abort()
  // Without persistence mode the driver wakes eight cards on risers one after the other.
  let limit = setTimeout(silent, Math.max(ANSWER_LIMIT_MS, SILENT_PERIODS * periodMs))
  let refused: string | null = null
  try {
    for await (const line of linesOf(child.all, LINE_LIMIT_BYTES)) {
      refused ??= refusedField(line)
      const row = parseRow(line, fields)
      if (row === null) continue
      onRow(row)
      clearTimeout(limit)
      limit = setTimeout(silent, SILENT_PERIODS * periodMs)
    }
  } catch (error) {
    if (!isCutOff(error)) throw error
  } finally {
    clearTimeout(limit)
  }
  const { pid } = child
  await child
  return { how: silence.signal.aborted ? "silent" : pid === undefined ? "not-started" : "exit", refused }
}

function start(program: string, args: string[], cancelSignal: AbortSignal) {
  return execa(program, args, {
    reject: false,
    buffer: false,
    all: true,
    stdin: "ignore",
    cancelSignal,
    // A driver that hangs leaves the tool deaf to polite signals.
    killSignal: "SIGKILL",
    // A wrapper's child would hold the pipes open after it.
    killDescendants: true,
    env: { LC_ALL: "C" },
  })
}

function argsOf(fields: string[], periodMs: number): string[] {
  const wholeSeconds = periodMs % 1000 === 0
  return [
    `--query-gpu=${fields.join(",")}`,
    "--format=csv,noheader,nounits",
    ...(wholeSeconds ? ["-l", String(periodMs / 1000)] : ["-lms", String(periodMs)]),
  ]
}

/** How a pipe ends whose child was killed. */
function isCutOff(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return (
    code !== undefined && ["ERR_STREAM_PREMATURE_CLOSE", "ABORT_ERR", "ECONNRESET", "EPIPE"].includes(code)
  )
}
