import { execFileSync } from "node:child_process"
import { chmodSync, existsSync, mkdtempSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { execa } from "execa"
import fc from "fast-check"
import { expect, test } from "vitest"
import { openControl } from "../../../src/runtime/agent/control.ts"
import { openHome } from "../../../src/runtime/agent/home.ts"
import { carryOut, quoted, shownFix } from "../../../src/runtime/doctor/fix.ts"

const never = new AbortController().signal
const fresh = () => openHome(join(mkdtempSync(join(tmpdir(), "zg-fix-")), "my home"))

test("what is shown is what a shell would run", () => {
  const word = fc.string().filter(text => !text.includes("\0"))
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 5 }), words => {
      const line = `printf '%s\\0' ${words.map(quoted).join(" ")}`
      expect(execFileSync("sh", ["-c", line], { encoding: "utf8" })).toBe(`${words.join("\0")}\0`)
    }),
    { numRuns: 30 },
  )
})

test("a command is run as it is shown", async () => {
  const home = fresh()
  chmodSync(home.root, 0o755)
  const fix = { kind: "run", argv: ["chmod", "700", home.root] } as const
  expect(shownFix(fix)).toBe(`chmod 700 '${home.root}'`)
  expect(await carryOut(fix, () => home, never)).toEqual({ shown: shownFix(fix), ok: true, message: null })
  expect(statSync(home.root).mode & 0o777).toBe(0o700)
})

test("a command that fails, and one that is not there, are told in their own words", async () => {
  const home = fresh()
  const refused = await carryOut({ kind: "run", argv: ["chmod", "700", "/nowhere"] }, () => home, never)
  expect(refused).toMatchObject({ ok: false, message: expect.stringContaining("/nowhere") })
  const missing = await carryOut({ kind: "run", argv: ["zg-no-such-program"] }, () => home, never)
  expect(missing).toMatchObject({ ok: false, message: expect.stringContaining("zg-no-such-program") })
})

test("an abort ends a command and is no failure of it", async () => {
  const stop = new AbortController()
  const running = carryOut({ kind: "run", argv: ["sleep", "60"] }, fresh, stop.signal)
  const reason = new Error("enough")
  stop.abort(reason)
  await expect(running).rejects.toBe(reason)
})

/** As an agent leaves it that was killed. */
async function leaveSocket(path: string): Promise<void> {
  const script = 'net.createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))'
  await execa(process.execPath, ["-e", script, path], { reject: false })
  expect(existsSync(path)).toBe(true)
}

test("a socket is removed when nobody answers on it, and not when an agent has come", async () => {
  const home = fresh()
  const fix = { kind: "remove-socket", path: home.socket } as const
  const control = await openControl(home, () => ({ pid: 1 }))
  expect(await carryOut(fix, () => home, never)).toMatchObject({ ok: false })
  expect(existsSync(home.socket)).toBe(true)
  await control[Symbol.asyncDispose]()
  await leaveSocket(home.socket)
  expect(await carryOut(fix, () => home, never)).toMatchObject({ ok: true })
  expect(existsSync(home.socket)).toBe(false)
})
