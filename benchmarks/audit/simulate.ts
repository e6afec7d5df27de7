/**
 * Hosts of several kinds, judged by the marketplace's own functions: who is found, whether cheating paid until then, who is
 * held to be wrong without having been, and how much work the audits are.
 *
 *   node benchmarks/audit/simulate.ts [SEED]        1 if not told
 *
 * Exits 1 when a goal is missed.
 */
import { CAREERS, POPULATIONS } from "./cases.ts"
import { playCareers, playPopulation } from "./scenarios.ts"

const BEHIND_GOAL = 0.99
const OVERHEAD_GOAL = 0.1

const seed = Number(process.argv[2] ?? 1)
const missed: string[] = []

console.log(
  "| one host among honest ones | careers | found | median shards until then | ended behind honest work | gain of a cheated shard | honest held wrong |",
)
console.log("|---|--:|--:|--:|--:|--:|--:|")
for (const { name, rules, goal, ...plan } of CAREERS) {
  const { careers, found, shards, behind, gainOfCheat, accused } = playCareers(plan, rules, seed)
  console.log(
    `| ${name} | ${careers} | ${percent(found)} | ${shards} | ${percent(behind)} | ${signed(gainOfCheat)} | ${accused} |`,
  )
  if (goal && behind < BEHIND_GOAL) missed.push(`${name}: ${percent(behind)} ended behind honest work`)
  if (accused > 0) missed.push(`${name}: ${accused} honest answers held wrong`)
}

console.log(
  "\n| a population, 100,000 shards | overhead | disputes | others failed | their gain, a shard | honest held wrong |",
)
console.log("|---|--:|--:|--:|--:|--:|")
for (const { name, rules, goal, ...plan } of POPULATIONS) {
  const { overhead, disputes, undecided, failures, gainOfShard, accused } = playPopulation(plan, rules, seed)
  const gain = gainOfShard === null ? "–" : signed(gainOfShard)
  console.log(`| ${name} | ${percent(overhead)} | ${disputes} | ${failures} | ${gain} | ${accused} |`)
  if (goal && overhead > OVERHEAD_GOAL) missed.push(`${name}: an overhead of ${percent(overhead)}`)
  if (accused + undecided > 0) missed.push(`${name}: ${accused} honest held wrong, ${undecided} undecided`)
}

for (const goal of missed) console.log(`missed: ${goal}`)
process.exitCode = missed.length > 0 ? 1 : 0

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`
}

function signed(amount: number): string {
  return `${amount > 0 ? "+" : ""}${amount.toFixed(amount !== 0 && Math.abs(amount) < 0.1 ? 4 : 2)}`
}
