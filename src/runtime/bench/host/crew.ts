import { extname } from "node:path"
import { Worker } from "node:worker_threads"
import { Fault } from "../../../protocol/fault.ts"
import type { Drill } from "./drill.ts"

/** What a worker is told: times by the machine's clock that never jumps, in nanoseconds, which all threads share. */
export type Order = { type: "check" } | { type: "work"; startAt: bigint; endAt: bigint }

/** What a worker answers. */
export type Answer =
  | { type: "checked"; trouble: string | null }
  | { type: "worked"; perSecond: number }
  | { type: "refused"; reason: string }

/** Time for an order to reach every thread before the window begins. */
const HEAD_START_NS = 5_000_000n
/** Making ready touches all memory once; a worker that is silent for longer hangs. */
const ANSWER_LIMIT_MS = 60_000
const NS_PER_MS = 1e6

/** The machine does not give what a drill needs: a figure that cannot be had, and no fault. */
export class Refused extends Error {
  override readonly name = "Refused"
}

/** Worker threads that all do the same drill, in the same windows of time. Disposed of, or by the signal, they end at once. */
export class Crew implements AsyncDisposable {
  readonly #workers: readonly Worker[]
  readonly #signal: AbortSignal
  readonly #abort = () => void this.#end()

  private constructor(workers: readonly Worker[], signal: AbortSignal) {
    this.#workers = workers
    this.#signal = signal
    signal.addEventListener("abort", this.#abort, { once: true })
  }

  /**
   * Makes a drill ready in so many threads, and has each try it.
   * @throws Refused; Fault `host-unsound` when a result is wrong; the signal's reason.
   */
  static async muster(drill: Drill, threads: number, signal: AbortSignal): Promise<Crew> {
    signal.throwIfAborted()
    const program = new URL(`./worker${extname(import.meta.url)}`, import.meta.url)
    const workers = Array.from({ length: threads }, () => new Worker(program, { workerData: drill }))
    const crew = new Crew(workers, signal)
    try {
      await crew.#answers("checked")
      return crew
    } catch (error) {
      await crew[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Works for a window, and gives what all came to in a second. @throws as {@link muster}. */
  async work(windowMs: number): Promise<number> {
    const startAt = process.hrtime.bigint() + HEAD_START_NS
    const endAt = startAt + BigInt(Math.round(windowMs * NS_PER_MS))
    const worked = await this.#order({ type: "work", startAt, endAt }, "worked")
    return worked.reduce((sum, { perSecond }) => sum + perSecond, 0)
  }

  /** Looks at a result of every thread. @throws as {@link muster}. */
  async check(): Promise<void> {
    await this.#order({ type: "check" }, "checked")
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#signal.removeEventListener("abort", this.#abort)
    await this.#end()
  }

  async #end(): Promise<void> {
    await Promise.all(this.#workers.map(worker => worker.terminate()))
  }

  #order<Type extends Answer["type"]>(order: Order, type: Type) {
    this.#signal.throwIfAborted()
    const answers = this.#answers(type)
    for (const worker of this.#workers) worker.postMessage(order)
    return answers
  }

  async #answers<Type extends Answer["type"]>(type: Type): Promise<Extract<Answer, { type: Type }>[]> {
    const late = AbortSignal.timeout(ANSWER_LIMIT_MS)
    const either = AbortSignal.any([this.#signal, late])
    const answers = await Promise.all(this.#workers.map(worker => answerOf(worker, either))).catch(error => {
      throw late.aborted && !this.#signal.aborted ? new Refused("a thread did not answer in time") : error
    })
    const [wrong] = answers.flatMap(answer => (answer.type === "checked" ? (answer.trouble ?? []) : []))
    if (wrong !== undefined) throw unsound(wrong)
    return answers.map(answer => {
      if (answer.type !== type) throw new TypeError(`a worker answered ${answer.type} where ${type} was due`)
      return answer as Extract<Answer, { type: Type }>
    })
  }
}

async function answerOf(worker: Worker, signal: AbortSignal): Promise<Answer> {
  const answer = await new Promise<Answer>((resolve, reject) => {
    signal.throwIfAborted()
    const abort = () => reject(signal.reason)
    // Without memory for its own start a thread ends with an error of this kind.
    const fail = (error: unknown) =>
      reject(isMemoryShort(error) ? new Refused("there is too little memory for one more thread") : error)
    const exit = () => reject(new Refused("a thread was ended from outside"))
    const settle = (value: Answer) => {
      signal.removeEventListener("abort", abort)
      worker.off("error", fail).off("exit", exit)
      resolve(value)
    }
    signal.addEventListener("abort", abort, { once: true })
    worker.once("message", settle).once("error", fail).once("exit", exit)
  })
  if (answer.type === "refused") throw new Refused(answer.reason)
  return answer
}

function isMemoryShort(error: unknown): boolean {
  return ["ERR_WORKER_OUT_OF_MEMORY", "ERR_WORKER_INIT_FAILED"].includes(
    (error as { code?: string }).code ?? "",
  )
}

function unsound(what: string): Fault {
  return new Fault("host-unsound", `This machine computes wrongly: ${what}.`, {
    hint: "Take back overclocking and undervolting, look at the cooling, and test the memory (memtest86+) before you serve.",
    facts: { what },
  })
}
