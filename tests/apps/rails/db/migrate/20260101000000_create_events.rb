class CreateEvents < ActiveRecord::Migration[6.1]
  def change
    create_table(:events) { |t| t.string :name }
  end
end
