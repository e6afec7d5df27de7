import { on, once } from "node:events"
import type { AddressInfo } from "node:net"
import { type WebSocket, WebSocketServer } from "ws"
import { authenticate, challenge } from "../../src/marketplace/gateway/handshake.ts"
import { Channel } from "../../src/protocol/channel.ts"
import { HANDSHAKE_FRAMES } from "../../src/protocol/delivery.ts"
import { parseClientFrame } from "../../src/protocol/frame.ts"
import { handshakeBytes } from "../../src/protocol/handshake.ts"
import { keyIdOf, type Signer } from "../../src/protocol/keys.ts"
import type { ClientFrame, ClientFrameOf, MarketMessage } from "../../src/protocol/message.ts"
import { newIdentity } from "../contract/client.ts"

/** Says what a marketplace says to this message; nothing when not given. */
export type Answer = (frame: ClientFrame) => Promise<MarketMessage | undefined>

/** A marketplace with nothing behind its socket: it knows everybody, and a test says what it answers. */
export class StandInMarket {
  readonly heard: ClientFrame[] = []
  readonly identity: Signer = newIdentity()
  readonly #sockets: WebSocketServer
  readonly #answer: Answer

  private constructor(sockets: WebSocketServer, answer: Answer) {
    this.#sockets = sockets
    this.#answer = answer
    sockets.on("connection", (socket, { headers }) => this.#converse(socket, headers.host ?? ""))
  }

  static async start(answer: Answer): Promise<StandInMarket> {
    const sockets = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "zg.v1" })
    await once(sockets, "listening")
    return new StandInMarket(sockets, answer)
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#sockets.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate()
    const closed = once(this.#sockets, "close")
    this.#sockets.close()
    await closed
  }

  async #converse(socket: WebSocket, host: string): Promise<void> {
    const texts = textsOf(socket)
    const next = async () => parseClientFrame((await texts.next()).value as string)
    const say = (message: MarketMessage, seq: number) =>
      socket.send(JSON.stringify({ ...message, seq, re: seq }))
    const challenged = challenge((await next()) as ClientFrameOf<"hello">, host, this.identity)
    const { handshake } = challenged
    const { marketKey: publicKey, marketNonce: nonce, session, clientKey } = handshake
    say({ type: "challenge", publicKey, nonce, session }, 1)
    authenticate(challenged, (await next()) as ClientFrameOf<"auth">)
    const signature = Buffer.from(await this.identity.sign(handshakeBytes("market", handshake))).toString(
      "base64",
    )
    const agent = keyIdOf(clientKey)
    say({ type: "welcome", agent, signature, token: "a-token-of-the-test", registered: true }, 2)
    const channel = new Channel()
    channel.attach(text => socket.send(text), HANDSHAKE_FRAMES)
    for await (const text of texts) {
      const frame = parseClientFrame(text)
      if (!channel.take(frame)) continue
      this.heard.push(frame)
      const answer = await this.#answer(frame)
      if (answer) channel.send(answer, frame.seq)
    }
  }
}

async function* textsOf(socket: WebSocket): AsyncGenerator<string> {
  const over = new AbortController()
  socket.once("close", () => over.abort())
  try {
    for await (const [data] of on(socket, "message", { signal: over.signal })) yield String(data)
  } catch (error) {
    if (!over.signal.aborted) throw error
  }
}
