import { createInterface } from "node:readline"
import { execa } from "execa"

/** Prints each datagram as a line of JSON, as systemd would take it: with its sender, and closing what a barrier sends. */
const RECEIVER = `
import array, json, os, socket, sys
name = sys.argv[1]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("\\0" + name[1:] if name[0] == "@" else name)
print("ready", flush=True)
while True:
    data, ancillary, _, _ = s.recvmsg(4096, socket.CMSG_SPACE(64))
    for level, kind, held in ancillary:
        if kind == socket.SCM_RIGHTS:
            fds = array.array("i"); fds.frombytes(held[: len(held) - len(held) % fds.itemsize])
            for fd in fds: os.close(fd)
    text = data.decode()
    if text != "BARRIER=1": print(json.dumps(dict(line.split("=", 1) for line in text.split("\\n"))), flush=True)
`

/** A real datagram socket, such as systemd has. */
export interface Datagrams {
  /** Resolves with the next datagram's variables. */
  next(): Promise<Record<string, string>>
  close(): Promise<void>
}

/** The reason why there can be none here; null where there can. */
export async function lacking(): Promise<string | null> {
  for (const program of ["python3", "systemd-notify"]) {
    const { failed } = await execa(program, ["--version"], { reject: false })
    if (failed) return `${program} is not on PATH`
  }
  return null
}

export async function openDatagrams(socket: string): Promise<Datagrams> {
  const program = execa("python3", ["-c", RECEIVER, socket], { reject: false, buffer: false })
  const lines = createInterface({ input: program.stdout })[Symbol.asyncIterator]()
  const line = async () => {
    const { value, done } = await lines.next()
    if (done) throw new Error("the receiver has ended")
    return String(value)
  }
  await line()
  return {
    next: async () => JSON.parse(await line()),
    async close() {
      program.kill("SIGKILL")
      await program
    },
  }
}
