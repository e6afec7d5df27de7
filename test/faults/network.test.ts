import { once } from "node:events"
import { type AddressInfo, createServer, type Socket, connect as tcp } from "node:net"
import { afterEach, expect, test } from "vitest"
import { Network } from "./network.ts"

const opened: { close(): unknown }[] = []
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close()
})

/** A server that says back what it hears, and the network before it. */
async function echo(): Promise<Network> {
  const server = createServer(socket => {
    socket.on("error", () => {})
    socket.pipe(socket)
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  opened.push(server)
  const network = await Network.open((server.address() as AddressInfo).port)
  opened.push(network)
  return network
}

function begin({ port }: Network): Socket {
  const socket = tcp(port, "127.0.0.1")
  socket.on("error", () => {})
  return socket
}

async function dial(network: Network): Promise<Socket> {
  const socket = begin(network)
  await once(socket, "connect")
  return socket
}

/** Whether with an error or without one. */
function closing(socket: Socket): Promise<void> {
  return new Promise(resolve => socket.once("close", () => resolve()))
}

async function answer(socket: Socket, text: string): Promise<string> {
  socket.write(text)
  return String((await once(socket, "data"))[0])
}

test("what is sent arrives", async () => {
  const socket = await dial(await echo())
  expect(await answer(socket, "hello")).toBe("hello")
  socket.destroy()
})

test("a cut breaks what is open and lets nothing through until it heals", async () => {
  const network = await echo()
  const socket = await dial(network)
  expect(await answer(socket, "hello")).toBe("hello")
  const closed = closing(socket)
  network.cut()
  await closed
  await closing(begin(network))
  network.heal()
  const again = await dial(network)
  expect(await answer(again, "again")).toBe("again")
  again.destroy()
})

test("a connection that went silent tells neither end, while a new one works", async () => {
  const network = await echo()
  const silent = await dial(network)
  expect(await answer(silent, "hello")).toBe("hello")
  network.silence()
  let heard = false
  silent.on("data", () => {
    heard = true
  })
  silent.write("is anybody there?")
  const other = await dial(network)
  expect(await answer(other, "yes")).toBe("yes")
  expect([heard, silent.destroyed]).toEqual([false, false])
  const closed = closing(silent)
  network.heal()
  await closed
  other.destroy()
})

test("delayed pieces arrive whole and in order", async () => {
  const network = await echo()
  const socket = await dial(network)
  const delays = [80, 0, 40, 0]
  network.delay(() => delays.pop() ?? 0)
  const pieces = Array.from({ length: 20 }, (_, number) => `${number},`)
  for (const piece of pieces) socket.write(piece)
  socket.end()
  let text = ""
  for await (const piece of socket) text += piece
  expect(text).toBe(pieces.join(""))
})
