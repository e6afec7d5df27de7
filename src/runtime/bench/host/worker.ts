// A worker thread: makes a drill ready, then repeats it for every window that it is told, and says what that came to.
import { parentPort, workerData } from "node:worker_threads"
import type { Answer, Order } from "./crew.ts"
import { type Drill, type Prepared, prepare } from "./drill.ts"

const port = parentPort
if (port === null) throw new TypeError("this file runs as a worker thread")
const say = (answer: Answer) => port.postMessage(answer)

function open(): Prepared | null {
  try {
    return prepare(workerData as Drill)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    say({ type: "refused", reason: error.message })
    return null
  }
}

const prepared = open()
if (prepared !== null) {
  port.on("message", (order: Order) => say(order.type === "check" ? check(prepared) : work(prepared, order)))
  say(check(prepared))
}

function check({ trouble }: Prepared): Answer {
  return { type: "checked", trouble: trouble() }
}

/** Whole repeats from the window's start until one ends after its end. */
function work({ once }: Prepared, { startAt, endAt }: Extract<Order, { type: "work" }>): Answer {
  waitUntil(startAt)
  const started = process.hrtime.bigint()
  let amount = 0
  let now = started
  do {
    amount += once()
    now = process.hrtime.bigint()
  } while (now < endAt)
  return { type: "worked", perSecond: amount / (Number(now - started) / 1e9) }
}

function waitUntil(startAt: bigint): void {
  const leftMs = Number(startAt - process.hrtime.bigint()) / 1e6
  if (leftMs > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, leftMs)
}
