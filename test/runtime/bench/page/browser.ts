import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { accessSync, constants, mkdtempSync } from "node:fs"
import { rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { delimiter, join } from "node:path"
import type { Readable, Writable } from "node:stream"
import { pathToFileURL } from "node:url"
import type { TestContext } from "vitest"
import { skip } from "../../../contract/skip.ts"

/** How long the suite waits for any one answer of the browser. */
const ANSWER_LIMIT_MS = 60_000

const FLAGS = [
  ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
  "--remote-debugging-pipe",
]

/** Where Chromium is. In CI it has to be there; elsewhere the test is skipped without it. */
export function needBrowser(context: TestContext): string {
  const folders = (process.env.PATH ?? "").split(delimiter)
  const found = folders.map(folder => join(folder, "chromium")).find(isProgram)
  if (found !== undefined) return found
  if (process.env.CI) throw new Error("Chromium is missing, and in CI it may not be.")
  return skip(context, "no Chromium is here (Debian: chromium)")
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

export interface Screen {
  width: number
  scheme: "light" | "dark"
}

interface Answer {
  id?: number
  method?: string
  params?: Record<string, unknown>
  result?: Record<string, unknown>
  error?: { message: string }
}

/**
 * A Chromium that is told what to do through a pipe (Chrome DevTools Protocol), so that a page is asked from outside, which its own policy
 * neither hinders nor sees.
 */
export class Browser {
  readonly #process: ChildProcess
  readonly #profile = mkdtempSync(join(tmpdir(), "zg-chromium-"))
  readonly #asked = new Map<number, (answer: Answer) => void>()
  readonly #heard: Answer[] = []
  #session: string | undefined
  #rest = ""

  private constructor(program: string) {
    const args = [...FLAGS, `--user-data-dir=${this.#profile}`]
    this.#process = spawn(program, args, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] })
    const answers = this.#process.stdio[4] as Readable
    answers.setEncoding("utf8").on("data", (text: string) => this.#hear(text))
  }

  static async start(program: string): Promise<Browser> {
    const browser = new Browser(program)
    const { targetId } = await browser.#ask("Target.createTarget", { url: "about:blank" })
    const { sessionId } = await browser.#ask("Target.attachToTarget", { targetId, flatten: true })
    browser.#session = sessionId as string
    for (const domain of ["Page", "Runtime", "Log", "Network"]) await browser.#ask(`${domain}.enable`)
    return browser
  }

  /** Opens a file on a screen, and tells what came of it when it has loaded. */
  async open(path: string, { width, scheme }: Screen): Promise<void> {
    const screen = { width, height: 900, deviceScaleFactor: 1, mobile: false }
    await this.#ask("Emulation.setDeviceMetricsOverride", screen)
    const features = [{ name: "prefers-color-scheme", value: scheme }]
    await this.#ask("Emulation.setEmulatedMedia", { media: "", features })
    this.#heard.length = 0
    await this.#ask("Page.navigate", { url: pathToFileURL(path).href })
    await this.#until("Page.loadEventFired")
  }

  /** What the page asked the network for, its own address left out. */
  get requests(): string[] {
    const asked = this.#heard.filter(({ method }) => method === "Network.requestWillBeSent")
    return asked.slice(1).map(({ params }) => JSON.stringify(params?.request))
  }

  /** What the page, or the browser about it, complained of. */
  get complaints(): string[] {
    return this.#heard.flatMap(({ method, params }) =>
      method === "Log.entryAdded" ||
      method === "Runtime.consoleAPICalled" ||
      method === "Runtime.exceptionThrown"
        ? [JSON.stringify(params)]
        : [],
    )
  }

  /** The value of an expression in the page. */
  async evaluate<Value>(expression: string): Promise<Value> {
    const { result } = await this.#ask("Runtime.evaluate", { expression, returnByValue: true })
    return (result as { value: Value }).value
  }

  async #ask(method: string, params: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const id = this.#asked.size + 1
    const answered = Promise.withResolvers<Answer>()
    this.#asked.set(id, answered.resolve)
    const message = { id, method, params, ...(this.#session && { sessionId: this.#session }) }
    const pipe = this.#process.stdio[3] as Writable
    pipe.write(`${JSON.stringify(message)}\0`)
    const limit = AbortSignal.timeout(ANSWER_LIMIT_MS)
    const late = once(limit, "abort").then(() => ({ error: { message: "no answer" } }))
    const { result, error } = await Promise.race([answered.promise, late as Promise<Answer>])
    if (error) throw new Error(`${method}: ${error.message}`)
    return result ?? {}
  }

  async close(): Promise<void> {
    const ended = once(this.#process, "exit")
    this.#process.kill("SIGKILL")
    await ended
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 })
  }

  #hear(text: string): void {
    const parts = (this.#rest + text).split("\0")
    this.#rest = parts.pop() ?? ""
    for (const part of parts) {
      const answer = JSON.parse(part) as Answer
      if (answer.id === undefined) this.#heard.push(answer)
      else this.#asked.get(answer.id)?.(answer)
    }
  }

  async #until(method: string): Promise<void> {
    const limit = AbortSignal.timeout(ANSWER_LIMIT_MS)
    while (!this.#heard.some(one => one.method === method)) {
      limit.throwIfAborted()
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }
}
