create table migration_runs (id serial primary key, version text not null);
create table events (id serial primary key, name text not null);
