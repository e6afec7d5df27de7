// Measures the disk under a folder until it is killed, and says so once it is writing.
import { measureDisk } from "../../../../src/runtime/bench/host/disk.ts"

const [folder = ""] = process.argv.slice(2)
const budget = {
  warmUps: 0,
  repeats: 1e6,
  windowMs: 20,
  limitMs: 600_000,
  fileBytes: 32 << 20,
  writtenBytes: 2 ** 40,
}
await measureDisk({ folder }, budget, {
  signal: new AbortController().signal,
  onProgress: ({ done }) => done === 1 && process.stdout.write("writing\n"),
})
