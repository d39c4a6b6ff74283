CREATE TABLE `changes` (
	`seq` integer PRIMARY KEY NOT NULL,
	`kind` text NOT NULL,
	`name` text NOT NULL,
	`action` text NOT NULL,
	`author` text NOT NULL,
	`before` text,
	`after` text,
	`at` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `changes_by_entry` ON `changes` (`kind`,`name`);--> statement-breakpoint
CREATE TABLE `entities` (
	`kind` text NOT NULL,
	`name` text NOT NULL,
	`revision` integer NOT NULL,
	`digest` text NOT NULL,
	`manifest` text NOT NULL,
	`resolved` text NOT NULL,
	`created_at` text NOT NULL,
	`updated_at` text NOT NULL,
	`updated_by` text NOT NULL,
	PRIMARY KEY(`kind`, `name`)
);
--> statement-breakpoint
CREATE TABLE `module_code` (
	`sha256` text PRIMARY KEY NOT NULL,
	`code` text NOT NULL,
	`size_bytes` integer NOT NULL,
	`at` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `revisions` (
	`kind` text NOT NULL,
	`name` text NOT NULL,
	`revision` integer NOT NULL,
	`digest` text NOT NULL,
	`manifest` text NOT NULL,
	`resolved` text NOT NULL,
	`author` text NOT NULL,
	`at` text NOT NULL,
	PRIMARY KEY(`kind`, `name`, `revision`)
);
--> statement-breakpoint
CREATE TABLE `secret_values` (
	`name` text PRIMARY KEY NOT NULL,
	`version` text NOT NULL,
	`sealed` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `token_secrets` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`secret_sha256` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `token_secrets_by_name` ON `token_secrets` (`name`);--> statement-breakpoint
CREATE TABLE `token_use` (
	`id` text PRIMARY KEY NOT NULL,
	`last_used_at` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `uses` (
	`kind` text NOT NULL,
	`name` text NOT NULL,
	`target_kind` text NOT NULL,
	`target_name` text NOT NULL,
	`written` integer NOT NULL,
	PRIMARY KEY(`kind`, `name`, `target_kind`, `target_name`)
);
--> statement-breakpoint
CREATE INDEX `uses_by_target` ON `uses` (`target_kind`,`target_name`);