ALTER TABLE `changes` ADD `revision` integer;--> statement-breakpoint
ALTER TABLE `changes` ADD `caller` text;--> statement-breakpoint
ALTER TABLE `changes` ADD `uses` text;--> statement-breakpoint
ALTER TABLE `changes` ADD `hash` text;