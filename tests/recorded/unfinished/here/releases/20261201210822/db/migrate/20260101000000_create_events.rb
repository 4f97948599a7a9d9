class CreateEvents < ActiveRecord::Migration[6.1]
  include Counted

  def change
    create_table :migration_runs do |t|
      t.string :version, null: false
    end
    create_table :events do |t|
      t.string :name, null: false
    end
    counted
  end
end
