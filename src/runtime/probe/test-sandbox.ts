import { randomUUID } from "node:crypto"
import { readdir } from "node:fs/promises"
import { basename, join } from "node:path"
import type { CapacityReport } from "../../protocol/capacity-report.ts"
import { isFault } from "../../protocol/fault.ts"
import type { Signer } from "../../protocol/keys.ts"
import { loadIdentity } from "../../store/identity.ts"
import type { Disks } from "../container/disks.ts"
import type { Engine } from "../container/engine.ts"
import type { ProfileName } from "../container/policy.ts"
import type { GpuPlacement } from "../container/sandbox.ts"
import { BOMBS, explode } from "./bombs.ts"
import { type JailReport, jail } from "./jail.ts"
import { jailResultOf, keepJailReport, readJailBundle } from "./jail-statement.ts"
import type { Tried } from "./judge-jail.ts"
import type { Address } from "./targets.ts"

export interface TestOptions {
  engine: Engine
  /** What the hostile container is given, as the next shard would be. */
  gpu: GpuPlacement
  disks: Disks
  profile: ProfileName
  addresses: readonly Address[]
  /** The agent's files. */
  home: { root: string; identity: string }
  /** Also the bombs, one container each. */
  full: boolean
  /** Called before each container, with what it tries. */
  onStep?: (what: string) => void
}

/** What the sandbox held, and where that is signed. */
export interface SandboxTest {
  report: JailReport
  bombs: Tried[]
  /** Null where there is no identity to sign with. */
  signed: string | null
}

/** The containers' label before there is an identity. */
const NOBODY = "sandbox-test"

/** The kept jail test of an agent for one device, in its home. */
export function jailPath(root: string, device: JailReport["device"] = "cpu"): string {
  return join(root, device === "cpu" ? "jail-test.json" : `jail-test-${basename(device)}.json`)
}

/** What the newest kept jail test of this home came to; null where none is. */
export async function newestJailTest(root: string): Promise<CapacityReport["jail"]> {
  const names = (await readdir(root)).filter(name => /^jail-test.*\.json$/.test(name))
  const bundles = await Promise.all(names.map(name => readJailBundle(join(root, name))))
  const results = bundles.flatMap(bundle => jailResultOf(bundle) ?? [])
  return results.sort((a, b) => Date.parse(b.testedOn) - Date.parse(a.testedOn))[0] ?? null
}

/** Attacks the sandbox as shards get it, and keeps the signed result. Throws as `jail`; what is open is told and not thrown. */
export async function testSandbox(options: TestOptions, signal: AbortSignal): Promise<SandboxTest> {
  const { home, full, onStep = () => {} } = options
  const signer = await signerOf(home.identity)
  const scratch = join(home.root, `jail-${randomUUID()}`)
  const place = { ...options, home: signer?.keyId ?? NOBODY, scratch }
  onStep("every quick way out")
  const report = await jail(place, signal)
  const bombs: Tried[] = []
  for (const bomb of full ? BOMBS : []) {
    onStep(bomb.name)
    bombs.push(await explode(bomb, place, signal))
  }
  const path = jailPath(home.root, report.device)
  if (signer !== null) await keepJailReport(path, withBombs(report, bombs), signer)
  return { report, bombs, signed: signer === null ? null : path }
}

/** Bombs are attempts like any other for whoever reads the signed result. */
function withBombs(report: JailReport, bombs: readonly Tried[]): JailReport {
  const held = bombs.every(({ outcome }) => outcome === "blocked" || outcome === "tolerated")
  return { ...report, passed: report.passed && held, attempts: [...report.attempts, ...bombs] }
}

async function signerOf(path: string): Promise<Signer | null> {
  try {
    return await loadIdentity(path)
  } catch (error) {
    if (isFault(error, "identity-missing")) return null
    throw error
  }
}
