# Prints the connection that Rails migrates with, one setting a line: "crelease-db KEY VALUE".  find.sh sends it
# to the application's own ruby on standard input, in the application's folder.
#
# The environment has crelease_yml, the path of config/database.yml, or its text in crelease_text.  Only its ERB and YAML are evaluated, which
# takes a tenth of a second.  What needs the application, such as its credentials, loads the application.
# With crelease_database, the database of that name is meant.
require 'erb'
require 'yaml'

# What the configuration or the application prints must not be taken for an answer.
ANSWER = $stdout.dup
$stdout.reopen($stderr)

def tell(key, value)
  value = value.to_s
  return if value.empty?

  ANSWER.puts "crelease-db #{value =~ /[[:cntrl:]]/ ? "problem config/database.yml has a #{key} with a control character" : "#{key} #{value}"}"
end

def read(file)
  own = ENV['crelease_text'].to_s
  text = ERB.new(own.empty? ? File.read(file, encoding: 'UTF-8') : own.dup.force_encoding('UTF-8')).result
  YAML.respond_to?(:unsafe_load) ? YAML.unsafe_load(text) : YAML.load(text)
rescue StandardError, ScriptError => e
  raise unless File.exist?('config/application.rb')

  begin
    require File.expand_path('config/application')
    Rails.application.config.database_configuration
  rescue StandardError, ScriptError
    raise e
  end
end

# Rails 6 and later: the databases of an environment by name.
def primary(config)
  wanted = ENV['crelease_database'].to_s
  several = config.values.any? && config.values.all? { |v| v.is_a?(Hash) }
  return [wanted, several ? config[wanted] || config[wanted.to_sym] : (config if wanted == 'primary')] unless wanted.empty?
  return ['primary', config] unless several

  # Rails migrates neither a replica nor a database without tasks.
  own = config.reject { |_, v| v['replica'] || v['database_tasks'] == false }
  first = config.key?('primary') ? 'primary' : own.keys.first
  more = own.keys - [first]
  tell('more', more.join(', '))
  tell('each', [first, *more].map { |name| "#{name}: {}" }.join(', '))
  [first, config[first]]
end

begin
  env = [ENV['RAILS_ENV'], ENV['RACK_ENV'], 'development'].find { |e| e && !e.empty? }
  all = read(ENV['crelease_yml']) || {}
  config = all[env] || all[env.to_sym]
  config = { 'url' => config } if config.is_a?(String)
  config = Hash[config.map { |k, v| [k.to_s, v] }] if config.is_a?(Hash)
  tell('env', env)
  if config.is_a?(Hash)
    name, config = primary(config)
    tell('none', "config/database.yml has no database '#{name}' in '#{env}'") unless config
    (config || {}).each do |key, value|
      tell(key, value) if %w[adapter database host port username password socket sslmode sslrootcert sslcert sslkey sslca service passfile].include?(key)
    end
    tell('url', config['url']) if config && config['url']
    tell('url', ENV["#{name.upcase}_DATABASE_URL"]) if config
  else
    tell('none', "config/database.yml has no '#{env}'")
  end
  tell('url', ENV['DATABASE_URL']) if name.nil? || name == 'primary'
rescue StandardError, ScriptError => e
  # A message may quote the line that was wrong, with its password.
  tell('problem', "config/database.yml could not be evaluated (#{e.class})")
end
ANSWER.flush
ANSWER.close
# An application that was loaded may have started threads and handlers.
exit!(0)
