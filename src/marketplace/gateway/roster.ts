import { randomBytes } from "node:crypto"
import type { KeyId, PublicKey } from "../../protocol/keys.ts"
import type { LeaseId } from "../../protocol/lease.ts"
import type { MarketMessage, Slot } from "../../protocol/message.ts"

/** An authenticated session. */
export interface Peer {
  readonly agent: KeyId
  readonly publicKey: PublicKey
  /** Whether it has a socket now; what is sent meanwhile waits for the next one. */
  readonly isConnected: boolean
  /** The leases that were granted in it. */
  readonly granted: Set<LeaseId>
  send(message: MarketMessage, re?: number): void
  close(code: number, reason: string): void
}

/** Close code for a session whose agent serves through a newer one. */
export const REPLACED = 4001

interface Seller {
  peer: Peer
  slots: Slot[]
}

/**
 * Who has a session. One identity may buy through several, but serves through one: the latest that announced its capacity, so
 * that an agent that was started again takes its place back.
 */
export class Roster {
  #peers = new Map<KeyId, Set<Peer>>()
  #sellers = new Map<KeyId, Seller>()
  #tokens = new Map<string, Peer>()

  /** @returns the bearer token for the registry, good while this session lives. */
  enter(peer: Peer): string {
    const peers = this.#peers.get(peer.agent) ?? new Set()
    this.#peers.set(peer.agent, peers.add(peer))
    const token = randomBytes(32).toString("base64url")
    this.#tokens.set(token, peer)
    return token
  }

  /** @returns whether its agent served through this session. */
  leave(peer: Peer): boolean {
    const peers = this.#peers.get(peer.agent)
    peers?.delete(peer)
    if (peers?.size === 0) this.#peers.delete(peer.agent)
    for (const [token, holder] of this.#tokens) if (holder === peer) this.#tokens.delete(token)
    const served = this.serves(peer)
    if (served) this.#sellers.delete(peer.agent)
    return served
  }

  /** From now on the agent serves these slots, through this session. */
  serve(peer: Peer, slots: Slot[]): void {
    const before = this.#sellers.get(peer.agent)?.peer
    this.#sellers.set(peer.agent, { peer, slots })
    if (before && before !== peer) before.close(REPLACED, "replaced by a newer session")
  }

  /** No slots until the agent announces capacity again. */
  drain(agent: KeyId): void {
    const seller = this.#sellers.get(agent)
    if (seller) seller.slots = []
  }

  /** Whether its agent serves through this session. */
  serves(peer: Peer): boolean {
    return this.#sellers.get(peer.agent)?.peer === peer
  }

  /** Whether it has a session with a socket, to serve or to buy. */
  isConnected(agent: KeyId): boolean {
    return [...(this.#peers.get(agent) ?? [])].some(({ isConnected }) => isConnected)
  }

  /** The slots that it serves now. */
  slotsOf(agent: KeyId): readonly Slot[] {
    const seller = this.#sellers.get(agent)
    return seller?.peer.isConnected ? seller.slots : []
  }

  /** Every slot that is served and can be asked now, busy or not. */
  places(): { agent: KeyId; slot: Slot }[] {
    const present = [...this.#sellers].filter(([, { peer }]) => peer.isConnected)
    return present.flatMap(([agent, { slots }]) => slots.map(slot => ({ agent, slot })))
  }

  /** To the session through which the agent serves, else to all of its sessions. */
  send(agent: KeyId, message: MarketMessage): void {
    const seller = this.#sellers.get(agent)
    const peers = seller ? [seller.peer] : (this.#peers.get(agent) ?? [])
    for (const peer of peers) peer.send(message)
  }

  /** Whose live session this bearer token belongs to. */
  holderOf(token: string): KeyId | undefined {
    return this.#tokens.get(token)?.agent
  }
}
