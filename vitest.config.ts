import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 30_000,
    hookTimeout: 120_000,
    coverage: {
      provider: "v8",
      include: ["src/**/*.ts"],
      // Commands run as processes of their own in the journey tests, which this counter does not see.
      exclude: ["src/commands/**"],
      reporter: ["text-summary"],
    },
  },
})
