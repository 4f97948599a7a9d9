# Every migration of this application says that it ran: in the file log/migrations.log when it
# begins, which no rollback takes back, and in the table migration_runs when it is committed.
module Counted
  def counted
    reversible do |dir|
      dir.up do
        File.write('log/migrations.log', "#{version} #{Process.pid}\n", mode: 'a')
        execute "INSERT INTO migration_runs (version) VALUES ('#{version}')"
      end
    end
  end
end
