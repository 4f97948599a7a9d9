require 'bundler/setup'
require 'rails'
require 'active_record/railtie'

File.open(ENV.fetch('STARTS'), 'a') { |f| f.puts ARGV.join(' ') } if ENV['STARTS']

module Shop
  class Application < Rails::Application
    config.eager_load = false
    config.secret_key_base = 'of no use'
    config.active_record.dump_schema_after_migration = false
  end
end
