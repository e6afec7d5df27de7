import { type ChildProcess, spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import type { TestContext } from "vitest"
import { WebSocket } from "ws"
import { skip } from "../../contract/skip.ts"

const PROGRAMS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
/** A loaded machine may take long to start a browser. */
const LIMIT_MS = 60_000
const LOOK_MS = 50

export function findChromium(): string | null {
  return [process.env.CHROMIUM, ...PROGRAMS].find(path => path !== undefined && existsSync(path)) ?? null
}

/** Skips the test where there is no Chromium; in CI there has to be one. */
export function needChromium(context: TestContext): void {
  if (findChromium() !== null) return
  if (process.env.CI) throw new Error("no Chromium is here, and in CI its tests may not be skipped")
  skip(context, "no Chromium is here (Debian: chromium)")
}

interface Answer {
  id?: number
  sessionId?: string
  method?: string
  params?: unknown
  result?: unknown
  error?: { message: string }
}

/** A headless Chromium with an empty profile, driven over the DevTools protocol. */
export class Chromium {
  readonly #child: ChildProcess
  readonly #folder: string
  readonly #socket: WebSocket
  readonly #awaited = new Map<
    number,
    { resolve: (result: unknown) => void; reject: (error: Error) => void }
  >()
  readonly heard: { method: string; params: unknown }[] = []
  #last = 0

  private constructor(child: ChildProcess, folder: string, socket: WebSocket) {
    this.#child = child
    this.#folder = folder
    this.#socket = socket
    socket.on("message", data => this.#take(JSON.parse(data.toString())))
  }

  /** @throws Error where there is none. */
  static async start(): Promise<Chromium> {
    const program = findChromium()
    if (program === null) throw new Error("no Chromium is here")
    const folder = await mkdtemp(join(tmpdir(), "zg-chromium-"))
    const flags = [
      "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking",
      "--disable-component-update --disable-sync --disable-dev-shm-usage --remote-debugging-port=0",
    ]
    const child = spawn(program, [...flags.join(" ").split(" "), `--user-data-dir=${folder}`], {
      stdio: "ignore",
    })
    const [port, path] = await portIn(join(folder, "DevToolsActivePort"))
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`)
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject))
    return new Chromium(child, folder, socket)
  }

  async open(): Promise<Page> {
    const { targetId } = await this.send<{ targetId: string }>("Target.createTarget", { url: "about:blank" })
    const { sessionId } = await this.send<{ sessionId: string }>("Target.attachToTarget", {
      targetId,
      flatten: true,
    })
    const page = new Page(this, sessionId)
    for (const domain of ["Page", "Runtime", "Log"]) await page.send(`${domain}.enable`)
    return page
  }

  send<T>(method: string, params: object = {}, sessionId?: string): Promise<T> {
    const id = ++this.#last
    this.#socket.send(JSON.stringify({ id, method, params, sessionId }))
    return new Promise<T>((resolve, reject) => {
      this.#awaited.set(id, { resolve: resolve as (result: unknown) => void, reject })
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const gone = new Promise(resolve => this.#child.once("exit", resolve))
    this.#socket.terminate()
    this.#child.kill("SIGKILL")
    await gone
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 })
  }

  #take({ id, method, params, result, error }: Answer): void {
    if (method !== undefined) this.heard.push({ method, params })
    const awaited = this.#awaited.get(id ?? 0)
    if (error) awaited?.reject(new Error(error.message))
    else awaited?.resolve(result)
  }
}

/** One tab. */
export class Page {
  readonly #browser: Chromium
  readonly #session: string

  constructor(browser: Chromium, session: string) {
    this.#browser = browser
    this.#session = session
  }

  send<T>(method: string, params: object = {}): Promise<T> {
    return this.#browser.send<T>(method, params, this.#session)
  }

  /** Loads a page; resolves when its document and its scripts are there. */
  async visit(url: string): Promise<void> {
    await this.send("Page.navigate", { url })
    await this.until(`document.readyState === "complete" && location.href === ${JSON.stringify(url)}`)
  }

  /** What an expression is in the page, as JSON. */
  async value<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.send<{
      result: { value: T }
      exceptionDetails?: { text: string }
    }>("Runtime.evaluate", { expression, returnByValue: true, awaitPromise: true })
    if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.text}`)
    return result.value
  }

  async until(expression: string): Promise<void> {
    const deadline = performance.now() + LIMIT_MS
    while (!(await this.value<boolean>(expression).catch(() => false))) {
      if (performance.now() > deadline) throw new Error(`not within ${LIMIT_MS} ms: ${expression}`)
      await pause(LOOK_MS)
    }
  }

  /** What an element says, once it says something that fits. */
  async said(id: string, fits: RegExp): Promise<string> {
    const text = `(document.getElementById(${JSON.stringify(id)})?.textContent ?? "")`
    await this.until(`${fits}.test(${text})`)
    return this.value<string>(text)
  }

  click(id: string): Promise<void> {
    return this.value(`document.getElementById(${JSON.stringify(id)}).click()`)
  }
}

async function portIn(file: string): Promise<string[]> {
  const deadline = performance.now() + LIMIT_MS
  for (;;) {
    const text = await readFile(file, "utf8").catch(() => "")
    const lines = text.split("\n").filter(Boolean)
    if (lines.length === 2) return lines
    if (performance.now() > deadline) throw new Error("Chromium does not open its port")
    await pause(LOOK_MS)
  }
}
