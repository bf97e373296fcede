//! The pages of the manual, whose blocks are tests. The Chinese pages have the same blocks, so these are run once.

#[doc = include_str!("../docs/manual/notifications.md")]
struct Notifications;

#[doc = include_str!("../docs/manual/files.md")]
struct Files;

#[doc = include_str!("../docs/manual/apiv2.md")]
struct Apiv2;

#[doc = include_str!("../docs/manual/recipes.md")]
struct Recipes;

#[doc = include_str!("../docs/manual/command-line.md")]
struct CommandLine;
