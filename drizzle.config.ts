/** For `npm run migrations`: writes the SQL that takes the last migration's tables to those of schema.ts. */
import { defineConfig } from "drizzle-kit";

export default defineConfig({ dialect: "sqlite", schema: "./src/registry/schema.ts", out: "./migrations" });
