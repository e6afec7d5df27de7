import { Writable } from "node:stream"
import { type Logger, pino } from "pino"

const LEVEL_NAMES: Record<number, string> = {
  10: "trace",
  20: "debug",
  30: "info",
  40: "warn",
  50: "error",
  60: "fatal",
}

/** The log on stderr: JSON lines for machines, one short line an event on a terminal. */
export function openLog(level: string): Logger {
  const destination = process.stderr.isTTY ? terminal() : pino.destination({ dest: 2, sync: true })
  // Whoever read the log may be gone before the work is: that is no reason to end without order.
  destination.on("error", () => {})
  process.stderr.on("error", () => {})
  return pino(
    { level, base: null, messageKey: "event", timestamp: pino.stdTimeFunctions.isoTime },
    destination,
  )
}

function terminal(): Writable {
  return new Writable({
    write(chunk: Buffer, _, done) {
      process.stderr.write(`${line(JSON.parse(chunk.toString()))}\n`)
      done()
    },
  })
}

function line({ time, level, event, ...fields }: Record<string, unknown>): string {
  const name = LEVEL_NAMES[level as number] ?? "info"
  const rest = Object.entries(fields).map(([key, value]) => ` ${key}=${shown(value)}`)
  return `${String(time).slice(11, 19)} ${name.padEnd(5)} ${event}${rest.join("")}`
}

/** Ids and keys by their first digits, as git shows commits; the JSON log has them whole. */
function shown(value: unknown): string {
  if (typeof value === "string" && /^[0-9a-f]{32,}$/.test(value)) return value.slice(0, 12)
  return typeof value === "string" && /^[\x21-\x7e]+$/.test(value) ? value : JSON.stringify(value)
}
