import { getServers } from "node:dns"
import { lookup } from "node:dns/promises"
import { networkInterfaces } from "node:os"
import { type Placement, sandboxArgs } from "../container/sandbox.ts"
import type { Lures } from "./lures.ts"
import { rootOf } from "./place.ts"

/** An address that a shard must not reach: an IP address, and a TCP port. */
export interface Address {
  host: string
  port: number
}

/** Stand for the internet: no machine has these (RFC 5737, RFC 3849), but a packet to them would leave. */
const NOWHERE = ["198.51.100.1", "2001:db8::1"]
/** Where clouds tell a machine its own keys. */
const METADATA = ["169.254.169.254", "fd00:ec2::254"]
const WRITABLE = ["/tmp", "/dev/shm", "/dev/mqueue", "/shard/out", "/shard/checkpoint"]
/** Set by the engines themselves, the last two by Podman. */
const USUAL_ENV = ["PATH", "HOSTNAME", "TERM", "container"]

/**
 * The arguments of `probe jail`: what the probe cannot know of this machine by itself.
 * @param addresses such as the marketplace's.
 */
export function targetsOf(placement: Placement, lures: Lures, addresses: readonly Address[]): string[] {
  const addressArg = (kind: string, transport: "tcp" | "udp", name: string) => (host: string, port: number) =>
    `${kind}=${transport},${host},${port},${name}`
  const machine = addressArg("machine", "tcp", "the machine's address")
  const market = addressArg("market", "tcp", "the marketplace")
  const internet = addressArg("internet", "tcp", "the internet")
  const metadata = addressArg("metadata", "tcp", "the metadata address")
  const dns = addressArg("dns", "udp", "the name server")
  return [
    ...ownAddresses().map(host => machine(host, lures.port)),
    `loopback=tcp,127.0.0.1,${lures.port},the machine's loopback`,
    ...NOWHERE.map(host => internet(host, 443)),
    ...METADATA.map(host => metadata(host, 80)),
    ...[...nameServers(), ...NOWHERE].map(host => dns(host, 53)),
    ...addresses.map(({ host, port }) => market(host, port)),
    ...lures.sockets.map(path => `socket=${path}`),
    `secret-at=${lures.file}`,
    `secret=${lures.secret}`,
    ...WRITABLE.map(path => `may-write=${path}`),
    ...environmentOf(placement).map(name => `env=${name}`),
    ...nameServers().map(host => `name-server=${host}`),
    `place=${rootOf(placement)}`,
    `oom-score=${flagValue(placement, "--oom-score-adj")}`,
  ]
}

/** The addresses of a marketplace; none where its name is not known, so that nobody can reach it by that. @param url `ws:` or `wss:`. */
export async function addressOf(url: string): Promise<Address[]> {
  const { hostname, port, protocol } = new URL(url)
  const found = await lookup(hostname.replace(/^\[(.*)\]$/, "$1"), { all: true }).catch(() => [])
  return found.map(({ address }) => ({
    host: address,
    port: Number(port) || (protocol === "wss:" ? 443 : 80),
  }))
}

/** Link-local ones need a zone, which a container has none of. */
function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap(list =>
    (list ?? []).flatMap(({ internal, address }) => (internal || /^fe80:/i.test(address) ? [] : [address])),
  )
}

/** One on the loopback is the machine's own: the container has a loopback of its own. */
function nameServers(): string[] {
  return getServers()
    .map(server => server.replace(/^\[(.*)\](:\d+)?$/, "$1").replace(/^([\d.]+):\d+$/, "$1"))
    .filter(address => !/^(127\.|::1$|fe80:)/i.test(address))
}

function environmentOf(placement: Placement): string[] {
  const set = sandboxArgs(placement).flatMap(arg => /^--env=([^=]+)=/.exec(arg)?.[1] ?? [])
  return [...USUAL_ENV, ...set]
}

function flagValue(placement: Placement, flag: string): string {
  return (
    sandboxArgs(placement)
      .find(arg => arg.startsWith(`${flag}=`))
      ?.slice(flag.length + 1) ?? "0"
  )
}
