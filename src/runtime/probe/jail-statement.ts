import { readFile } from "node:fs/promises"
import { z } from "zod"
import type { CapacityReport } from "../../protocol/capacity-report.ts"
import { digestOfJson } from "../../protocol/digest.ts"
import { Fault } from "../../protocol/fault.ts"
import type { PublicKey, Signer } from "../../protocol/keys.ts"
import { Timestamp } from "../../protocol/lease.ts"
import { Isolation } from "../../protocol/proof.ts"
import {
  Bundle,
  openBundle,
  Resource,
  resource,
  STATEMENT_TYPE,
  signStatement,
} from "../../protocol/statement.ts"
import { writeAtomically } from "../../store/atomic-file.ts"
import { callFilter } from "../container/seccomp.ts"
import { PROBE_IMAGE } from "./image.ts"
import type { JailReport } from "./jail.ts"

/** in-toto Test Result v0.1: which tests ran in which configuration, and how they ended. */
export const TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"

const Tests = z.array(z.string().max(128)).max(512)

/** A host's signed word that its sandbox held, or did not. Tolerated attempts are warnings. */
export const JailStatement = z.strictObject({
  _type: z.literal(STATEMENT_TYPE),
  /** The probe's image: what attacked. */
  subject: z.tuple([Resource]),
  predicateType: z.literal(TEST_RESULT),
  predicate: z.strictObject({
    result: z.enum(["PASSED", "WARNED", "FAILED"]),
    /** The image, the flags of the sandbox as proofs name them, and everything that was found, by digest. */
    configuration: z.array(Resource).min(1),
    passedTests: Tests,
    warnedTests: Tests,
    failedTests: Tests,
    zg_sandbox: z.strictObject({
      engine: z.string(),
      runtime: z.string(),
      isolation: Isolation,
      device: z.string(),
      seccomp: z.string(),
      profile: z.string(),
      disks: z.enum(["mounted", "watched"]),
      at: Timestamp,
    }),
  }),
})
export type JailStatement = z.infer<typeof JailStatement>

/** What a jail test found, as a statement. A wall that is not in force is a failed test under its flag's name. */
export function jailStatement(report: JailReport): JailStatement {
  const named = (...outcomes: string[]) =>
    report.attempts.filter(({ outcome }) => outcomes.includes(outcome)).map(({ name }) => name)
  const warnedTests = named("tolerated")
  const failedTests = [...named("open", "unknown"), ...report.violations.map(({ flag }) => flag)]
  const { engine, runtime, isolation, device, profile, disks, at } = report
  const image = resource(PROBE_IMAGE, report.image)
  return {
    _type: STATEMENT_TYPE,
    subject: [image],
    predicateType: TEST_RESULT,
    predicate: {
      result: !report.passed ? "FAILED" : warnedTests.length > 0 ? "WARNED" : "PASSED",
      configuration: [image, resource("flags", report.policy), resource("report", digestOfJson(report))],
      passedTests: named("blocked"),
      warnedTests,
      failedTests,
      zg_sandbox: {
        engine: `${engine.name} ${engine.version}`,
        runtime,
        isolation,
        device,
        seccomp: callFilter(report),
        profile,
        disks,
        at,
      },
    },
  }
}

/** What is kept of the last jail test: the whole report, and the host's signature over what it comes to. */
export interface JailRecord {
  report: JailReport
  bundle: Bundle
}

/** Signs a report and writes both to a file that only its owner reads. */
export async function keepJailReport(path: string, report: JailReport, signer: Signer): Promise<JailRecord> {
  const bundle = await signStatement(jailStatement(report), signer)
  const record = { report, bundle }
  await writeAtomically(path, `${JSON.stringify(record, null, 2)}\n`)
  return record
}

/** The bundle of a kept jail test; null where none was made. */
export async function readJailBundle(path: string): Promise<unknown> {
  try {
    return (JSON.parse(await readFile(path, "utf8")) as Partial<JailRecord>).bundle ?? null
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT" || error instanceof SyntaxError) return null
    throw error
  }
}

/** What this machine's own bundle says, without its signature; null where it is none. */
export function jailResultOf(bundle: unknown): CapacityReport["jail"] {
  const parsed = Bundle.safeParse(bundle)
  if (!parsed.success) return null
  const payload = Buffer.from(parsed.data.dsseEnvelope.payload, "base64").toString()
  const { result, zg_sandbox } = JailStatement.parse(JSON.parse(payload)).predicate
  const { at, engine, runtime } = zg_sandbox
  return { passed: result !== "FAILED", testedOn: at, engine, runtime }
}

/**
 * Checks the signature and that the result fits the tests that it names.
 * @throws Fault `proof-malformed`, `proof-signature-wrong`, `proof-mismatch`.
 */
export function verifyJailBundle(bundle: unknown, key: PublicKey): JailStatement {
  const statement = openBundle(bundle, key, JailStatement)
  const { result, passedTests, warnedTests, failedTests } = statement.predicate
  const all = [...passedTests, ...warnedTests, ...failedTests]
  const due = failedTests.length > 0 ? "FAILED" : warnedTests.length > 0 ? "WARNED" : "PASSED"
  if (result !== due) throw mismatch("result", `${result} with ${failedTests.length} failed tests`)
  if (passedTests.length === 0) throw mismatch("passedTests", "none")
  if (new Set(all).size !== all.length) throw mismatch("tests", "one stands in it twice")
  const [subject] = statement.subject
  const attacker = statement.predicate.configuration.find(({ name }) => name === subject.name)
  if (attacker?.digest.sha256 !== subject.digest.sha256) throw mismatch("configuration", "of another image")
  return statement
}

function mismatch(field: string, seen: string): Fault {
  return new Fault("proof-mismatch", `The jail test does not agree with itself: ${field} is ${seen}.`, {
    hint: "It was not made by zg-agent: ask the host to run `zg-agent sandbox test` again.",
    facts: { field },
  })
}
