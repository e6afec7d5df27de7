import { type CapacityReport, capacityStatement } from "../../../../src/protocol/capacity-report.ts"
import { signStatement } from "../../../../src/protocol/statement.ts"
import type { SignedReport } from "../../../../src/runtime/bench/report/history.ts"
import { newIdentity } from "../../../contract/client.ts"

export async function signed(report: CapacityReport): Promise<SignedReport> {
  return { report, bundle: await signStatement(capacityStatement(report), newIdentity()) }
}
