CREATE TABLE aiops_pipelines (pipeline TEXT PRIMARY KEY, windows INTEGER, last_start INTEGER, last_end INTEGER);
INSERT INTO "aiops_pipelines" VALUES ('c72e3f8e-bcd4-411e-aee8-45a92d05d975', 2, 1772431260000000000, 1772431320000000000);
CREATE TABLE "counts" (
  "window_start" TIMESTAMP NOT NULL,
  "n" BIGINT,
  PRIMARY KEY ("window_start")
);
INSERT INTO "counts" VALUES ('2026-03-02 06:00:00', 10);
INSERT INTO "counts" VALUES ('2026-03-02 06:01:00', 10);
